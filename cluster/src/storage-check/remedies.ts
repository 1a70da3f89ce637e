import { FILE_STORAGE_USER } from '@delos/core';
import type { WantedVolume } from './wanted.ts';

const OPEN = `chown ${FILE_STORAGE_USER}:${FILE_STORAGE_USER} and chmod 2770`;

/** Words of Kubernetes, a node or a Pod, and what a person does about them. The first pattern that fits counts. */
const REMEDIES: readonly (readonly [RegExp, (wanted: WantedVolume) => string])[] = [
  [
    /hostPath type check failed/,
    ({ source }) =>
      `make ${source.kind === 'volume' ? source.where : 'the folder'} on each node: mkdir -p, then ${OPEN}; or mount there what all nodes share`,
  ],
  [
    /bad option; .*helper program|mount program|wrong fs type|unknown filesystem type/i,
    () => 'install what mounts it on each node (NFS: the package nfs-common; a file system: its module and its mkfs)',
  ],
  [
    /access denied by server|permission denied while mounting|No such file or directory.*mount/i,
    () => 'let the server export it to the addresses of the nodes (/etc/exports, then exportfs -ra)',
  ],
  [
    /Connection refused|timed out|No route to host|Name or service not known|Temporary failure in name/i,
    ({ key }) => `check that each node reaches the server that \`${key}\` names, by name and port`,
  ],
  [
    /waiting for a volume to be created|external provisioner|ExternalProvisioning/i,
    () => 'see that the class’s provisioner runs, and what it says: kubectl get pods -A, kubectl logs',
  ],
  [
    /Insufficient|not enough free|no space|ResourceExhausted|have no room|exceeds? .*quota/i,
    ({ key }) => `make room where the class has its volumes, or name another class in \`${key}\``,
  ],
  [
    /Multi-Attach|access ?modes?|MULTI_NODE|ReadWriteMany/i,
    ({ key }) =>
      `its volumes are of one node: name a class in \`${key}\` whose volumes several nodes can mount (CephFS, NFS, Azure Files), or use \`storage.nfs\``,
  ],
  [
    /Permission denied|Read-only file system|Operation not permitted/i,
    ({ source }) =>
      source.kind === 'volume'
        ? `on ${source.where}: ${OPEN}; on an NFS server, export it with rw and without all_squash`
        : 'use a driver that gives a volume to the group of its Pod (fsGroupPolicy of its CSIDriver)',
  ],
  [
    /ErrImagePull|ImagePullBackOff/,
    () => 'let the nodes pull the platform’s images: `images.registry` of delos.yaml says from where',
  ],
  [/FailedScheduling|nodes are available/, () => 'let a node take Pods: kubectl describe nodes shows taints and room'],
  [
    /volume node affinity|driver name .* not found in the list of registered CSI drivers/i,
    () => 'see that the driver’s Pod runs on each node: kubectl get csinodes, kubectl get pods -A -o wide',
  ],
];

/** What to do about a fault of such a volume. */
export function remedyOf(words: string, wanted: WantedVolume): string {
  const found = REMEDIES.find(([pattern]) => pattern.test(words))?.[1];
  return found?.(wanted) ?? `name another way in \`${wanted.key}\` of delos.yaml, or mend what its words say`;
}
