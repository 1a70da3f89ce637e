import { spawn } from 'node:child_process';
import { userInfo } from 'node:os';
import { PLATFORM_NAMESPACE } from '@delos/constructs';
import { DelosError, ERROR_CODES, type ErrorCode } from '@delos/core';
import { z } from 'zod';
import type { CommandContext } from '../context.ts';
import { engineOf } from './engine.ts';
import { kubeOf } from './kube.ts';

const answerSchema = z.union([
  z.object({ result: z.unknown() }),
  z.object({ error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }) }),
]);

/** Who asks, for the record. */
export const operator = (): string => `operator ${userInfo().username}`.slice(0, 200);

/** One program of a service's image, asked in a Pod of it. */
export interface RuntimeQuestion {
  /** Name of the Deployment, which is its container's as well. */
  readonly service: string;
  readonly program: string;
  /** Goes to its stdin as JSON. */
  readonly request: unknown;
  /** What it is asked for, in words. */
  readonly what: string;
}

/**
 * Asks inside a service's Pod: the cluster's own access rules decide who may.
 * @throws DelosError ERR_NOT_UP, and what the program answers
 */
export async function askRuntime(context: CommandContext, question: RuntimeQuestion): Promise<unknown> {
  const { service, program, request, what } = question;
  const kube = await kubeOf(context, await (await engineOf(context)).handle());
  const [command, ...before] = kube.argv;
  const args = [
    ...before,
    ...['exec', '--stdin', '--namespace', PLATFORM_NAMESPACE, `deployment/${service}`, '--container', service],
    ...['--', 'node', '/app/delos-runtime.mjs', program],
  ];
  const { out, err } = await speak(command, args, kube.env, JSON.stringify(request), context.signal);
  let parsed: z.infer<typeof answerSchema>;
  try {
    parsed = answerSchema.parse(JSON.parse(out));
  } catch (cause) {
    const words = err.trim().split('\n').at(-1) ?? '';
    throw new DelosError('ERR_NOT_UP', `${service} cannot be asked for ${what}: ${words}`, {
      hint: '`delos status` tells which part is not running; `delos up` repairs it',
      cause,
    });
  }
  if ('result' in parsed) return parsed.result;
  const { code, message, hint } = parsed.error;
  throw new DelosError(isErrorCode(code) ? code : 'ERR_INTERNAL', message, hint === undefined ? {} : { hint });
}

const isErrorCode = (code: string): code is ErrorCode => code in ERROR_CODES;

function speak(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  input: string,
  signal: AbortSignal,
): Promise<{ readonly out: string; readonly err: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, signal, timeout: 60_000 });
    let out = '';
    let err = '';
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString();
    });
    child.stderr.on('data', (data: Buffer) => {
      err += data.toString();
    });
    child.once('error', reject);
    child.once('close', () => resolve({ out, err }));
    // A child that ends before it has read shows in its output, not here.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
