import { type PlatformConfig, POOL_LABEL } from '@delos/core';
import { stringify } from 'yaml';

export interface KindPort {
  readonly host: number;
  readonly node: number;
}

/** kind's cluster configuration: one node of the first pool, with the gateway's ports on this machine's loopback. */
export function renderKindConfig(config: PlatformConfig, ports: readonly KindPort[]): string {
  const pool = config.nodePools[0];
  return stringify({
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    networking: { apiServerAddress: '127.0.0.1' },
    nodes: [
      {
        role: 'control-plane',
        labels: pool === undefined ? {} : { ...pool.labels, [POOL_LABEL]: pool.name },
        extraPortMappings: ports.map(({ host, node }) => ({
          hostPort: host,
          containerPort: node,
          listenAddress: '127.0.0.1',
          protocol: 'TCP',
        })),
      },
    ],
  });
}
