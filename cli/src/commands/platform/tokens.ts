import { DelosError, issuedToken, type TokenRecord, type TokenRequest, tokenRecord, tokenRequest } from '@delos/core';
import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { askRuntime, operator } from '../../instance/runtime-command.ts';

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

const ask = (context: CommandContext, wanted: TokenRequest): Promise<unknown> =>
  askRuntime(context, { service: 'control-api', program: 'token', request: checked(wanted), what: 'tokens' });
