import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { DelosError } from '@delos/core';
import type { Kube } from '../../instance/kube.ts';

/** Characters of a command's stderr that a message shows. */
const MOST_WORDS = 500;

/** Where a command runs. */
export interface PodPlace {
  readonly namespace: string;
  readonly pod: string;
  /** @default the Pod's first one */
  readonly container?: string;
}

/**
 * What a command in a Pod writes to stdout, as it comes.
 * @param tell is told each line of its stderr
 * @throws DelosError ERR_BACKUP with what it said on stderr, once it has failed
 */
export async function* outputOf(
  kube: Kube,
  place: PodPlace,
  command: readonly string[],
  signal: AbortSignal,
  tell: (line: string) => void = () => undefined,
): AsyncGenerator<Buffer> {
  const child = start(kube, place, command, [], signal);
  createInterface(child.stderr).on('line', tell);
  const ended = endOf(child, place, command);
  // A command that cannot be started at all gives no output either: its error is that of the last line.
  ended.catch(() => undefined);
  for await (const bytes of child.stdout) yield bytes as Buffer;
  await ended;
}

/** A command in a Pod that reads stdin. */
export class PodInput {
  readonly #stdin: Writable;
  readonly #ended: Promise<void>;

  constructor(kube: Kube, place: PodPlace, command: readonly string[], signal: AbortSignal) {
    const child = start(kube, place, command, ['--stdin'], signal);
    child.stdout.resume();
    this.#stdin = child.stdin;
    // Its exit says more than a closed pipe.
    this.#stdin.on('error', () => undefined);
    this.#ended = endOf(child, place, command);
    this.#ended.catch(() => undefined);
  }

  /** Waits while the Pod does not take more. @throws DelosError ERR_BACKUP once the command has failed */
  async write(bytes: Buffer): Promise<void> {
    if (this.#stdin.destroyed || this.#stdin.writableEnded) return await this.#ended;
    if (!this.#stdin.write(bytes)) await Promise.race([once(this.#stdin, 'drain'), this.#ended]);
  }

  /** The end of stdin, and then of the command. @throws DelosError ERR_BACKUP where it has failed */
  async end(): Promise<void> {
    this.#stdin.end();
    await this.#ended;
  }
}

/** Runs a command in a Pod to its end. @throws DelosError ERR_BACKUP where it fails */
export async function runInPod(
  kube: Kube,
  place: PodPlace,
  command: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for await (const _ of outputOf(kube, place, command, signal));
}

function start(
  kube: Kube,
  { namespace, pod, container }: PodPlace,
  command: readonly string[],
  flags: readonly string[],
  signal: AbortSignal,
) {
  const [program, ...before] = kube.argv;
  const inside = container === undefined ? [] : [`--container=${container}`];
  const args = [...before, 'exec', ...flags, `--namespace=${namespace}`, pod, ...inside, '--', ...command];
  return spawn(program, args, { env: { ...process.env, ...kube.env }, stdio: ['pipe', 'pipe', 'pipe'], signal });
}

function endOf(child: ReturnType<typeof start>, { pod }: PodPlace, command: readonly string[]): Promise<void> {
  let words = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => {
    words = (words + text).slice(-MOST_WORDS);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) return resolve();
      const said = words.trim().split('\n').slice(-3).join('; ');
      reject(
        new DelosError('ERR_BACKUP', `${command[0] ?? 'the command'} in Pod ${pod} failed (${code}): ${said}`, {
          hint: '`delos status` tells whether the Pod runs; then run the same command again',
        }),
      );
    });
  });
}
