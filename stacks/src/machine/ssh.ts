import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { word } from './facts.ts';

/** How a machine is reached. */
export const address = z.object({
  host: z.string(),
  port: z.number().int(),
  /** root, or one who may use sudo without a password. */
  user: z.string(),
  /** File with the private key; undefined: those of the agent and of the person's configuration. */
  keyFile: z.string().optional(),
  /** The one key that the machine may show: `ssh-ed25519 AAAA…`. */
  hostKey: z.string(),
});
export type Address = z.infer<typeof address>;

export interface Ran {
  readonly code: number;
  /** At most {@link OUTPUT_LIMIT} characters. */
  readonly stdout: string;
  readonly stderr: string;
}

const OUTPUT_LIMIT = 2 ** 24;
const LIMIT_MS = 15 * 60_000;

/** Algorithms by which a key of a type is shown (RFC 8332 for RSA). */
const algorithms = (type: string): string => (type === 'ssh-rsa' ? 'rsa-sha2-512,rsa-sha2-256' : type);

/**
 * Runs commands on a machine by the system's `ssh`, one after another, each over a connection of its own. Nothing secret is in an
 * argument or a variable: it goes by stdin.
 */
export class Connection {
  readonly #at: Address;
  readonly #folder: string;
  #last: Promise<unknown> = Promise.resolve();

  constructor(at: Address) {
    this.#at = at;
    this.#folder = mkdtempSync(join(tmpdir(), 'delos-machine-'));
    writeFileSync(this.#known, `delos-machine ${at.hostKey.split(/\s+/).slice(0, 2).join(' ')}\n`);
  }

  get #known(): string {
    return join(this.#folder, 'known_hosts');
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /**
   * Runs a line of the POSIX shell as root.
   * @throws Error where the machine is not reached, or is another one
   */
  run(line: string, input: string | Readable, signal: AbortSignal): Promise<Ran> {
    const turn = this.#last.then(() => this.#run(line, input, signal));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #run(line: string, input: string | Readable, signal: AbortSignal): Promise<Ran> {
    signal.throwIfAborted();
    const { host, port, user, keyFile, hostKey } = this.#at;
    const [type = ''] = hostKey.split(/\s+/);
    const options = {
      BatchMode: 'yes',
      StrictHostKeyChecking: 'yes',
      UserKnownHostsFile: this.#known,
      GlobalKnownHostsFile: '/dev/null',
      HostKeyAlias: 'delos-machine',
      HostKeyAlgorithms: algorithms(type),
      ConnectTimeout: '15',
      ServerAliveInterval: '10',
      ServerAliveCountMax: '3',
      LogLevel: 'ERROR',
      ...(keyFile === undefined ? {} : { IdentitiesOnly: 'yes' }),
    };
    const args = [
      ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
      ...(keyFile === undefined ? [] : ['-i', keyFile]),
      ...['-p', String(port), '-l', user, '--', host],
      `${user === 'root' ? '' : 'sudo -n '}sh -c ${word(line)}`,
    ];
    const child = spawn('ssh', args, { stdio: ['pipe', 'pipe', 'pipe'], signal, timeout: LIMIT_MS });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-OUTPUT_LIMIT);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-OUTPUT_LIMIT);
    });
    const ended = new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? 255));
    });
    // A command that ends before it has read all says why itself.
    const given =
      typeof input === 'string'
        ? Promise.resolve(child.stdin.on('error', () => undefined).end(input))
        : pipeline(input, child.stdin).catch((error: unknown) => error);
    const code = await ended.catch((error: unknown) => {
      throw unreached(this.#at, error instanceof Error ? error.message : String(error));
    });
    const failed = await given;
    if (code === 255) throw unreached(this.#at, stderr);
    if (code === 0 && failed instanceof Error) throw failed;
    return { code, stdout, stderr };
  }
}

function unreached({ host, port }: Address, said: string): Error {
  const last = said.trim().split('\n').at(-1) ?? '';
  if (/host key verification failed|no matching host key/i.test(said)) {
    return new Error(
      `${host} port ${port} shows another key than ssh.hostKey. Another machine answers there, or it was set up anew: \`ssh-keyscan -p ${port} ${host}\` prints what it shows`,
    );
  }
  return new Error(`${host} port ${port} is not reached by ssh: ${last === '' ? 'no message' : last}`);
}
