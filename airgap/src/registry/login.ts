import { DelosError, isLoopback } from '@delos/core';
import { type Agent, request } from 'undici';
import { z } from 'zod';

export interface Login {
  readonly user: string;
  readonly password: string;
}

const answer = z.looseObject({ token: z.string().optional(), access_token: z.string().optional() });

/**
 * The header by which a registry lets somebody in, after what it asked for: a password (RFC 7617), or a token that
 * another place gives (https://distribution.github.io/distribution/spec/auth/token/).
 * @throws DelosError ERR_BUNDLE_IMPORT
 */
export async function authorization(
  challenge: string,
  scope: readonly string[],
  login: Login | undefined,
  agent: Agent,
): Promise<string> {
  const basic =
    login === undefined ? undefined : `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`;
  const [kind = '', fields = ''] = challenge.split(/\s+(.*)/s, 2);
  if (kind.toLowerCase() === 'basic' && basic !== undefined) return basic;
  const field = (name: string): string | undefined => new RegExp(`${name}="([^"]*)"`).exec(fields)?.[1];
  const realm = field('realm');
  if (kind.toLowerCase() !== 'bearer' || realm === undefined || !URL.canParse(realm)) throw refused('asks for a login');
  const url = new URL(realm);
  // The registry names this place: a password must not leave for one that anybody could listen to.
  if (login !== undefined && url.protocol !== 'https:' && !isLoopback(url.hostname)) {
    throw refused(`sends for a token to ${url.origin}, to which a password is not sent without TLS`);
  }
  const service = field('service');
  if (service !== undefined) url.searchParams.set('service', service);
  for (const each of scope) url.searchParams.append('scope', each);
  const given = await request(url, { dispatcher: agent, headers: basic === undefined ? {} : { authorization: basic } });
  const text = await given.body.text();
  if (given.statusCode !== 200)
    throw refused(`asks for a token, and ${url.origin} answers ${given.statusCode} for one`);
  const { token, access_token: access } = answer.parse(JSON.parse(text));
  const bearer = token ?? access;
  if (bearer === undefined) throw refused(`asks for a token, and ${url.origin} gives none`);
  return `Bearer ${bearer}`;
}

const refused = (what: string): DelosError =>
  new DelosError('ERR_BUNDLE_IMPORT', `the registry ${what}`, {
    hint: 'give a login that may write: --user NAME --password-file FILE',
  });
