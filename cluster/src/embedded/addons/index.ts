import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addressesOf } from '../host/addresses.ts';
import { layoutOf, type NodeSpec } from '../spec.ts';
import { coredns } from './coredns.ts';
import { disks } from './disks.ts';
import { localPath } from './local-path.ts';
import { metricsServer } from './metrics-server.ts';
import { type Addon, binding, clusterRole } from './object.ts';

export { STORAGE_CLASS, VOLUMES } from './local-path.ts';
export type { Addon } from './object.ts';

/** Everything that the embedded engine puts into its cluster, in the order in which it is applied. */
export function addonsOf(spec: NodeSpec): readonly Addon[] {
  const pki = (file: string) => readFileSync(join(layoutOf(spec.state).pki, file), 'utf8');
  return [
    binding('delos:kubelet-api-admin', 'system:kubelet-api-admin', { group: 'delos:kubelet-api-admins' }),
    clusterRole('delos:policy-agent', [
      { groups: [''], resources: ['pods', 'namespaces', 'nodes'], verbs: ['get', 'list', 'watch'] },
      { groups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['get', 'list', 'watch'] },
    ]),
    binding('delos:policy-agent', 'delos:policy-agent', { user: 'delos:policy-agent' }),
    ...coredns({
      image: spec.images.coredns,
      clusterIp: addressesOf(spec.number).dnsIp,
      forward: spec.resolvers.length > 0,
      publicName: spec.publicName,
      nodes: spec.nodes,
    }),
    ...localPath(spec.images.localPathProvisioner),
    ...disks(spec.nodes),
    ...metricsServer({
      image: spec.images.metricsServer,
      ca: pki('ca.crt'),
      certificate: pki('metrics-server.crt'),
      key: pki('metrics-server.key'),
    }),
  ];
}
