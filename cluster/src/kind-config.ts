import { type PlatformConfig, POOL_LABEL } from '@delos/core';
import { stringify } from 'yaml';

export interface KindPort {
  readonly host: number;
  readonly node: number;
}

/** Where kind's nodes look for registries' mirrors (kind 0.27 or later): https://kind.sigs.k8s.io/docs/user/local-registry */
export const KIND_HOSTS = '/etc/containerd/certs.d';

/**
 * kind's cluster configuration: one node of the first pool, with the gateway's ports on this machine's loopback.
 * @param hosts folder of the machine with the mirrors of registries, which may change while the cluster lives
 */
export function renderKindConfig(config: PlatformConfig, ports: readonly KindPort[], hosts: string): string {
  const pool = config.nodePools[0];
  return stringify({
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    networking: { apiServerAddress: '127.0.0.1' },
    nodes: [
      {
        role: 'control-plane',
        labels: pool === undefined ? {} : { ...pool.labels, [POOL_LABEL]: pool.name },
        extraMounts: [{ hostPath: hosts, containerPath: KIND_HOSTS, readOnly: true }],
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
