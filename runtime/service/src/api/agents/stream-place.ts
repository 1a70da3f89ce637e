import { createHmac, timingSafeEqual } from 'node:crypto';
import { liveOf } from '../../live-secret.ts';
import type { ApiSettings } from '../deps.ts';

/*
 * An agent from elsewhere cannot dial one replica of several: the gateway leads it to any. So the id of its stream says which
 * replica waits, sealed by a secret of the platform, and the one that is dialled passes the stream on. The address of a
 * replica is all that is sealed: nobody else can have it dial anything.
 */

export interface StreamPlace {
  readonly id: string;
  /** Address of the replica that waits; undefined where it is this one. */
  readonly elsewhere: string | undefined;
}

type Sealed = Pick<ApiSettings, 'agentToken' | 'internalAddress'>;

const sealOf = (
  of: { readonly id: string; readonly place: string; readonly cluster: string },
  secret: string,
): string => createHmac('sha256', secret).update(`stream ${of.id} of ${of.cluster} at ${of.place}`).digest('base64url');

/**
 * The id as the agent of a cluster elsewhere is told it. No other cluster's agent can use it.
 * @param address of the replica that waits; null: there is but one
 */
export function sealPlace(
  { id, cluster }: { readonly id: string; readonly cluster: string },
  address: string | null,
  { agentToken }: Pick<Sealed, 'agentToken'>,
): string {
  if (address === null) return id;
  const place = Buffer.from(address).toString('base64url');
  return [id, place, sealOf({ id, place, cluster }, liveOf(agentToken).current())].join('.');
}

/**
 * Where a stream is waited for. What the platform has not sealed for this cluster is taken as it is, and waited for nowhere.
 */
export function readPlace(text: string, cluster: string, { agentToken, internalAddress }: Sealed): StreamPlace {
  const [id = '', place, seal, ...more] = text.split('.');
  if (place === undefined || seal === undefined || more.length > 0) return { id: text, elsewhere: undefined };
  const isOurs = liveOf(agentToken)
    .accepted()
    .some((secret) => same(seal, sealOf({ id, place, cluster }, secret)));
  if (!isOurs) return { id: text, elsewhere: undefined };
  const address = Buffer.from(place, 'base64url').toString('utf8');
  return { id, elsewhere: address === internalAddress ? undefined : address };
}

function same(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
