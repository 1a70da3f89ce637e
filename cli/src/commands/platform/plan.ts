import type { ClusterHandle, ForwardedService } from '@delos/cluster';
import { PLATFORM_NAMESPACE, PORTS, plainHttp, publicUrlOf, type SynthesisContext } from '@delos/constructs';
import { DelosError, isLoopback, type PlatformConfig } from '@delos/core';

/** Node ports that the gateway's Service answers on, where the nodes are on this machine. */
const NODE_PORTS = { http: 30080, https: 30443 };

export interface Entrance {
  /** Where users reach the platform, no trailing slash. */
  readonly publicUrl: string;
  readonly exposure: SynthesisContext['exposure'];
  /** For exposure `cluster-ip`: what has to lead to the gateway once it is there. */
  readonly forward: ForwardedService | undefined;
}

/** Settles how the gateway is reached and by which URL. @throws DelosError ERR_PORT_TAKEN */
export async function openEntrance(config: PlatformConfig, handle: ClusterHandle): Promise<Entrance> {
  const existing = handle.kind === 'existing';
  if (existing && !isLoopback(config.domain)) {
    return {
      publicUrl: publicUrlOf(config, config.gateway),
      exposure: { kind: 'load-balancer' },
      forward: undefined,
    };
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
  const [http, https] = [hostPort(NODE_PORTS.http), hostPort(NODE_PORTS.https)];
  const plain = plainHttp(config) === 'none' ? [] : [{ host: http, service: PORTS.http }];
  return {
    publicUrl: publicUrlOf(config, { httpPort: http, httpsPort: https }),
    exposure: existing ? { kind: 'cluster-ip' } : { kind: 'node-port', ...NODE_PORTS },
    forward: existing
      ? { namespace: PLATFORM_NAMESPACE, name: 'gateway', ports: [...plain, { host: https, service: PORTS.https }] }
      : undefined,
  };
}
