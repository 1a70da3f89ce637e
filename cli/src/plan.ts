import type { ClusterHandle } from '@delos/cluster';
import type { SynthesisContext } from '@delos/constructs';
import { DelosError, type PlatformConfig } from '@delos/core';

/** Ports inside the node that the gateway's Service answers on, where there is no load balancer. */
const NODE_PORTS = { http: 30080, https: 30443 };

export interface Entrance {
  /** Where users reach the platform, no trailing slash. */
  readonly publicUrl: string;
  readonly exposure: SynthesisContext['exposure'];
}

/** Whether the gateway answers plain http: the official client trusts public roots only, so loopback has it. */
export function hasPlainHttp(config: PlatformConfig): boolean {
  return config.gateway.http === 'on' || (config.gateway.http === 'auto' && isLoopback(config.domain));
}

export function isLoopback(domain: string): boolean {
  return domain === 'localhost' || domain.endsWith('.localhost') || domain.startsWith('127.');
}

/** Makes the gateway reachable and tells by which URL. @throws DelosError ERR_PORT_TAKEN */
export async function openEntrance(config: PlatformConfig, handle: ClusterHandle): Promise<Entrance> {
  if (handle.kind === 'existing') {
    return { publicUrl: originOf(config, config.gateway), exposure: { kind: 'load-balancer' } };
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
    publicUrl: originOf(config, { httpPort: hostPort(NODE_PORTS.http), httpsPort: hostPort(NODE_PORTS.https) }),
    exposure: { kind: 'node-port', ...NODE_PORTS },
  };
}

function originOf(config: PlatformConfig, ports: { readonly httpPort: number; readonly httpsPort: number }): string {
  // The forwarder listens on 127.0.0.1; the name `localhost` may mean ::1 first.
  const host = config.domain === 'localhost' ? '127.0.0.1' : config.domain;
  const [scheme, port, usual] = hasPlainHttp(config)
    ? (['http', ports.httpPort, 80] as const)
    : (['https', ports.httpsPort, 443] as const);
  return `${scheme}://${host}${port === usual || port === 0 ? '' : `:${port}`}`;
}
