import type { ClusterHandle } from '@delos/cluster';
import { publicUrlOf, type SynthesisContext } from '@delos/constructs';
import { DelosError, type PlatformConfig } from '@delos/core';

/** Ports inside the node that the gateway's Service answers on, where there is no load balancer. */
const NODE_PORTS = { http: 30080, https: 30443 };

export interface Entrance {
  /** Where users reach the platform, no trailing slash. */
  readonly publicUrl: string;
  readonly exposure: SynthesisContext['exposure'];
}

/** Makes the gateway reachable and tells by which URL. @throws DelosError ERR_PORT_TAKEN */
export async function openEntrance(config: PlatformConfig, handle: ClusterHandle): Promise<Entrance> {
  if (handle.kind === 'existing') {
    return { publicUrl: publicUrlOf(config, config.gateway), exposure: { kind: 'load-balancer' } };
  }
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
  return {
    publicUrl: publicUrlOf(config, { httpPort: hostPort(NODE_PORTS.http), httpsPort: hostPort(NODE_PORTS.https) }),
    exposure: { kind: 'node-port', ...NODE_PORTS },
  };
}
