import { DelosError } from '@delos/core';
import type { ApiDeps, Caller } from '../../deps.ts';

/** @returns the password of basic credentials (RFC 7617); undefined for other ones, and for none */
export function passwordIn(header: string | undefined): string | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/_-]+=*)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : text.slice(colon + 1);
}

/**
 * Who shows a token of the platform, as a password or as it is. The name that comes with a password says nothing: clients put
 * different ones there.
 * @throws DelosError ERR_UNAUTHENTICATED, ERR_TOO_MANY_REQUESTS
 */
export async function callerBehind(
  deps: Pick<ApiDeps, 'authenticate' | 'requests'>,
  header: string | undefined,
): Promise<Caller> {
  if (header === undefined) {
    throw new DelosError('ERR_UNAUTHENTICATED', 'the registry gives images to nobody without a token', {
      hint: 'log in with any user name and a token of the platform as the password: apolo config show-token',
    });
  }
  const password = passwordIn(header);
  const caller = await deps.authenticate(password === undefined ? header : `Bearer ${password}`);
  await deps.requests.ofUser(caller);
  return caller;
}
