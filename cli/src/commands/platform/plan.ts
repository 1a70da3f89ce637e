import type { ClusterHandle, ForwardedService } from '@delos/cluster';
import { type Entrance, PLATFORM_NAMESPACE, PORTS, plainHttp } from '@delos/constructs';
import { DelosError, isLoopback, joinOf, NODE_PORTS, type PlatformConfig, SERVICE_NAMES } from '@delos/core';

export interface OpenEntrance {
  readonly entrance: Entrance;
  /** Where nothing leads to the gateway by itself: what to forward to it, once it is there. */
  readonly forward: ForwardedService | undefined;
}

/** Settles which ports lead to the gateway. @throws DelosError ERR_PORT_TAKEN */
export async function openEntrance(config: PlatformConfig, handle: ClusterHandle): Promise<OpenEntrance> {
  // A cluster that has joined a platform elsewhere has no way in of its own.
  if (joinOf(config) !== undefined) return { entrance: { kind: 'service' }, forward: undefined };
  const existing = handle.kind === 'existing';
  if (existing && !isLoopback(config.domain)) return { entrance: { kind: 'service' }, forward: undefined };
  const { httpPort, httpsPort } = config.gateway;
  const ports = await handle.exposeLoopback([
    { host: httpPort, node: NODE_PORTS.http },
    { host: httpsPort, node: NODE_PORTS.https },
  ]);
  const hostPort = (node: number): number => {
    const found = ports.find((port) => port.node === node);
    if (found === undefined) throw new DelosError('ERR_INTERNAL', `the engine does not tell where port ${node} went`);
    return found.host;
  };
  const [http, https] = [hostPort(NODE_PORTS.http), hostPort(NODE_PORTS.https)];
  const plain = plainHttp(config) === 'none' ? [] : [{ host: http, service: PORTS.http }];
  const hostPorts = { httpPort: http, httpsPort: https };
  return {
    entrance: existing ? { kind: 'service', hostPorts } : { kind: 'node-port', ...NODE_PORTS, hostPorts },
    forward: existing
      ? {
          namespace: PLATFORM_NAMESPACE,
          name: SERVICE_NAMES.gateway,
          ports: [...plain, { host: https, service: PORTS.https }],
        }
      : undefined,
  };
}
