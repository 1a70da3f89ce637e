import { createHash, timingSafeEqual } from 'node:crypto';
import { AGENT_PREFIX, DelosError, JOINED_PREFIX } from '@delos/core';
import type { Dialler } from '../../db/clusters/tables.ts';
import { type LiveSecret, liveOf } from '../../live-secret.ts';

export type { Dialler } from '../../db/clusters/tables.ts';

/** Who may use an endpoint, by the first part of its path below the prefix. */
const ENDPOINTS: Readonly<Record<string, Dialler>> = {
  connect: 'agent',
  streams: 'agent',
  collect: 'collector',
  logs: 'collector',
};
/** Below the prefix of clusters that have joined there are these as well. */
const OF_JOINED: Readonly<Record<string, Dialler>> = { ...ENDPOINTS, credentials: 'agent', membership: 'agent' };

/** Somebody who dials: an agent or a collector, of which cluster. */
export interface Principal {
  readonly cluster: string;
  readonly dialler: Dialler;
  /** Its cluster has joined: it dials from elsewhere. */
  readonly joined: boolean;
}

export interface TokenChecks {
  /** The platform's own cluster. */
  readonly cluster: string;
  /** What its agent and collectors show. */
  readonly tokens: Readonly<Record<Dialler, string | LiveSecret>>;
  /** Which joined cluster has this secret. Undefined where none has it. */
  readonly joined: (secret: string) => Promise<Pick<Principal, 'cluster' | 'dialler'> | undefined>;
}

/**
 * A check of the `authorization` header of a request for a path.
 * @returns a function that rejects with DelosError ERR_UNAUTHENTICATED for a token that is nobody's, ERR_FORBIDDEN for one of
 * the other kind, ERR_NOT_FOUND for a path that is no endpoint
 */
export function tokenCheck({
  cluster,
  tokens,
  joined,
}: TokenChecks): (path: string, authorization: string | undefined) => Promise<Principal> {
  const accepted = { agent: acceptedDigests(tokens.agent), collector: acceptedDigests(tokens.collector) };
  const own = (authorization: string): Readonly<Record<Dialler, boolean>> => {
    const given = digest(authorization);
    // All are compared, by digest: the time that it takes tells nothing about a secret.
    const matches = (digests: readonly Buffer[]): boolean =>
      digests.filter((one) => timingSafeEqual(given, one)).length > 0;
    return { agent: matches(accepted.agent()), collector: matches(accepted.collector()) };
  };
  return async (path, authorization = '') => {
    // Neither opens what is the other's: a secret of the platform's own agent is good for nothing from outside.
    if (path.startsWith(`${JOINED_PREFIX}/`)) {
      const [, secret = ''] = /^Bearer (.+)$/.exec(authorization) ?? [];
      const found = secret === '' ? undefined : await joined(secret);
      if (found === undefined) throw nobody();
      requireEndpoint(path, JOINED_PREFIX, OF_JOINED, (dialler) => found.dialler === dialler);
      return { ...found, joined: true };
    }
    const is = own(authorization);
    if (!is.agent && !is.collector) throw nobody();
    const dialler = requireEndpoint(path, AGENT_PREFIX, ENDPOINTS, (wanted) => is[wanted]);
    return { cluster, dialler, joined: false };
  };
}

const nobody = (): DelosError =>
  new DelosError('ERR_UNAUTHENTICATED', 'the token of the agent or collector is missing or wrong');

function requireEndpoint(
  path: string,
  prefix: string,
  endpoints: Readonly<Record<string, Dialler>>,
  is: (dialler: Dialler) => boolean,
): Dialler {
  const endpoint = path.startsWith(`${prefix}/`) ? path.slice(prefix.length + 1).split('/', 1)[0] : '';
  const dialler = Object.hasOwn(endpoints, endpoint ?? '') ? endpoints[endpoint ?? ''] : undefined;
  if (dialler === undefined) throw new DelosError('ERR_NOT_FOUND', `no such endpoint: ${path}`);
  if (!is(dialler)) throw new DelosError('ERR_FORBIDDEN', `only the ${dialler}'s token opens ${path}`);
  return dialler;
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
