import { createHash, timingSafeEqual } from 'node:crypto';
import { AGENT_PREFIX, DelosError } from '@delos/core';

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
  tokens: Readonly<Record<Dialler, string>>,
): (path: string, authorization: string | undefined) => void {
  const digests = { agent: bearerDigest(tokens.agent), collector: bearerDigest(tokens.collector) };
  return (path, authorization) => {
    const given = digest(authorization ?? '');
    // All are compared, by digest: the time that it takes tells nothing about a secret.
    const is = {
      agent: timingSafeEqual(given, digests.agent),
      collector: timingSafeEqual(given, digests.collector),
    };
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
