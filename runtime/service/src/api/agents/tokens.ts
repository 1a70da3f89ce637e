import { createHash, timingSafeEqual } from 'node:crypto';
import { AGENT_PREFIX, DelosError } from '@delos/core';
import { type LiveSecret, liveOf } from '../../live-secret.ts';

/** Who dials the internal listener. Each kind has a token of its own, which opens its own endpoints alone. */
export type Dialler = 'agent' | 'collector';

/** Who may use an endpoint, by the first part of its path below AGENT_PREFIX. */
const ENDPOINTS: Readonly<Record<string, Dialler>> = {
  connect: 'agent',
  streams: 'agent',
  collect: 'collector',
  logs: 'collector',
};

/**
 * A check of the `authorization` header of a request for a path.
 * @returns a function that throws DelosError ERR_UNAUTHENTICATED for a token that is nobody's, ERR_FORBIDDEN for one of
 * the other kind, ERR_NOT_FOUND for a path that is no endpoint
 */
export function tokenCheck(
  tokens: Readonly<Record<Dialler, string | LiveSecret>>,
): (path: string, authorization: string | undefined) => void {
  const accepted = { agent: acceptedDigests(tokens.agent), collector: acceptedDigests(tokens.collector) };
  return (path, authorization) => {
    const given = digest(authorization ?? '');
    // All are compared, by digest: the time that it takes tells nothing about a secret.
    const matches = (digests: readonly Buffer[]): boolean =>
      digests.filter((one) => timingSafeEqual(given, one)).length > 0;
    const is = { agent: matches(accepted.agent()), collector: matches(accepted.collector()) };
    if (!is.agent && !is.collector) {
      throw new DelosError('ERR_UNAUTHENTICATED', 'the token of the agent or collector is missing or wrong');
    }
    const endpoint = path.startsWith(`${AGENT_PREFIX}/`) ? path.slice(AGENT_PREFIX.length + 1).split('/', 1)[0] : '';
    const dialler = Object.hasOwn(ENDPOINTS, endpoint ?? '') ? ENDPOINTS[endpoint ?? ''] : undefined;
    if (dialler === undefined) throw new DelosError('ERR_NOT_FOUND', `no such endpoint: ${path}`);
    if (!is[dialler]) throw new DelosError('ERR_FORBIDDEN', `only the ${dialler}'s token opens ${path}`);
  };
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
const bearerDigest = (token: string): Buffer => digest(`Bearer ${token}`);

/** Files are looked at again after so long; requests may come by the thousand. */
const LOOK_MS = 500;

/** What is accepted now: while a token is rotated, two of them. */
function acceptedDigests(token: string | LiveSecret): () => readonly Buffer[] {
  const live = liveOf(token);
  let looked = performance.now();
  let digests = live.accepted().map(bearerDigest);
  return () => {
    if (performance.now() - looked > LOOK_MS) {
      looked = performance.now();
      digests = live.accepted().map(bearerDigest);
    }
    return digests;
  };
}
