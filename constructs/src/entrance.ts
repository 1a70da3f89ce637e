import { isLoopback, type PlatformConfig } from '@delos/core';
import { z } from 'zod';
import { publicUrlOf } from './public-url.ts';

const port = z.number().int();
/** Ports of the operator's machine, on its loopback, that lead to the gateway. */
const hostPorts = z.object({ httpPort: port, httpsPort: port });

/**
 * What the cluster and the operator's machine say about the way in. All that the configuration has a say in is derived
 * from both by {@link wayIn}, wherever it is needed, and kept nowhere: a changed configuration changes all of it.
 */
export const entranceSchema = z.discriminatedUnion('kind', [
  /** Nodes on the operator's machine, whose node ports its loopback leads to. */
  z.object({ kind: z.literal('node-port'), http: port, https: port, hostPorts }),
  /** Nodes elsewhere. `hostPorts` are there where the command forwards to the gateway's Service. */
  z.object({ kind: z.literal('service'), hostPorts: hostPorts.optional() }),
]);
/** Where the nodes are, and which ports lead to the gateway. */
export type Entrance = z.infer<typeof entranceSchema>;

/**
 * How the gateway's Service is reached from outside: node ports, a load balancer, or no way of its own: then the
 * operator's command forwards a port of the operator's machine to it.
 */
export type Exposure =
  | { readonly kind: 'cluster-ip' }
  | { readonly kind: 'node-port'; readonly http: number; readonly https: number }
  | { readonly kind: 'load-balancer' };

/** How users reach the platform. */
export interface WayIn {
  /** Where users reach the platform, no trailing slash, e.g. `http://127.0.0.1:8080`. */
  readonly publicUrl: string;
  /** How the gateway's Service is reached from outside. */
  readonly exposure: Exposure;
}

/** How users reach the platform, from the configuration and from where the nodes are. */
export function wayIn(config: PlatformConfig, entrance: Entrance): WayIn {
  if (entrance.kind === 'node-port') {
    const { kind, http, https, hostPorts } = entrance;
    return { publicUrl: publicUrlOf(config, hostPorts), exposure: { kind, http, https } };
  }
  return isLoopback(config.domain)
    ? { publicUrl: publicUrlOf(config, entrance.hostPorts ?? config.gateway), exposure: { kind: 'cluster-ip' } }
    : { publicUrl: publicUrlOf(config, config.gateway), exposure: { kind: 'load-balancer' } };
}
