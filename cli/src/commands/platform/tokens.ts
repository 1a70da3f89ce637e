import { spawn } from 'node:child_process';
import { userInfo } from 'node:os';
import { PLATFORM_NAMESPACE } from '@delos/constructs';
import {
  DelosError,
  ERROR_CODES,
  type ErrorCode,
  issuedToken,
  type TokenRecord,
  type TokenRequest,
  tokenRecord,
  tokenRequest,
} from '@delos/core';
import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { kubeOf } from '../../instance/kube.ts';

const answerSchema = z.union([
  z.object({ result: z.unknown() }),
  z.object({ error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }) }),
]);

/** A token for a user, recorded as issued. @throws DelosError ERR_NOT_FOUND, ERR_USAGE, ERR_NOT_UP */
export async function issueToken(
  context: CommandContext,
  wanted: { readonly user: string; readonly ttlSeconds: number },
): Promise<string> {
  return (await issue(context, wanted)).token;
}

export async function issue(
  context: CommandContext,
  wanted: { readonly user: string; readonly ttlSeconds: number },
): Promise<z.infer<typeof issuedToken>> {
  return issuedToken.parse(await ask(context, { action: 'issue', ...wanted, by: operator() }));
}

export async function revoke(context: CommandContext, id: string): Promise<TokenRecord> {
  return tokenRecord.parse(await ask(context, { action: 'revoke', id, by: operator() }));
}

export async function list(context: CommandContext): Promise<readonly TokenRecord[]> {
  return z.array(tokenRecord).parse(await ask(context, { action: 'list' }));
}

const operator = (): string => `operator ${userInfo().username}`.slice(0, 200);

const OPTIONS: Readonly<Record<string, string>> = { user: '--user', ttlSeconds: '--ttl', id: '--revoke' };

/** What the other side would refuse is refused here, by the option's name. @throws DelosError ERR_USAGE */
function checked(request: TokenRequest): TokenRequest {
  const parsed = tokenRequest.safeParse(request);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const option = OPTIONS[String(issue?.path[0])] ?? '';
  throw new DelosError('ERR_USAGE', `${option}: ${issue?.message ?? 'not accepted'}`, {
    hint: 'for example: delos token --user admin --ttl 12h',
  });
}

/** Asks inside the control API's Pod: the cluster's own access rules decide who may. */
async function ask(context: CommandContext, wanted: TokenRequest): Promise<unknown> {
  const request = checked(wanted);
  const kube = await kubeOf(context, await (await engineOf(context)).handle());
  const [command, ...before] = kube.argv;
  const args = [
    ...before,
    ...['exec', '--stdin', '--namespace', PLATFORM_NAMESPACE, 'deployment/control-api', '--container', 'control-api'],
    ...['--', 'node', '/app/delos-runtime.mjs', 'token'],
  ];
  const { out, err } = await speak(command, args, kube.env, JSON.stringify(request), context.signal);
  let parsed: z.infer<typeof answerSchema>;
  try {
    parsed = answerSchema.parse(JSON.parse(out));
  } catch (cause) {
    const words = err.trim().split('\n').at(-1) ?? '';
    throw new DelosError('ERR_NOT_UP', `the control API cannot be asked for tokens: ${words}`, {
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
