import { isIP } from 'node:net';
import { addressRange, dnsLabel } from '@delos/core';
import { z } from 'zod';
import type { Peer } from '../connections.ts';

/** How NetworkPolicies name a server that is there already: keys of its section in delos.yaml. */
export const reachKeys = {
  addresses: z
    .array(addressRange)
    .max(50)
    .default([])
    .describe('Its IP addresses and ranges, which NetworkPolicies let through; they know no host names'),
  pods: z
    .strictObject({
      namespace: dnsLabel.describe('Their namespace'),
      labels: z.record(z.string(), z.string()).describe('Their labels'),
    })
    .optional()
    .describe('Its Pods, where it runs in the same cluster'),
};

const reach = z.strictObject(reachKeys);
type Reach = z.infer<typeof reach>;

/** Says what is missing where a policy could not name the server. */
export function refuseUnreachable(
  { addresses, pods }: Reach,
  { host, path }: { readonly host: string; readonly path: readonly string[] },
  context: z.RefinementCtx,
): void {
  const given = addresses.length > 0 ? 1 : 0;
  if (given === 1 && pods !== undefined) {
    context.addIssue({ code: 'custom', path: ['pods'], message: 'give `addresses` or `pods`, not both' });
  }
  if (given === 1 || pods !== undefined || isIP(host) !== 0) return;
  context.addIssue({
    code: 'custom',
    path: [...path],
    message: `a NetworkPolicy cannot name the host ${host}: give its \`addresses\`, or its \`pods\` where it runs in the same cluster`,
  });
}

/** The server as the other end of a connection. */
export function peerOf(
  { addresses, pods }: Reach,
  host: string,
  port: number,
): Extract<Peer, { kind: 'addresses' | 'pods' }> {
  if (pods !== undefined) return { kind: 'pods', namespace: pods.namespace, labels: pods.labels, ports: [port] };
  return { kind: 'addresses', addresses: addresses.length > 0 ? addresses : [host], ports: [port] };
}
