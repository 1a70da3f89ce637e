import { FILE_STORAGE_VOLUME } from '@delos/core';
import {
  type Attempt,
  applied,
  CORE,
  get,
  MANAGED,
  patch,
  post,
  remove,
  spaced,
  type Targets,
} from './agent-requests.ts';

/** A disk's claim. */
const claim = (spec: object = {}, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'attack', labels: { 'delos.dev/disk': 'attack' }, ...metadata },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } }, ...spec },
});

/** A folder of the node as a volume. */
export const volume = (path: string, name: string, spec: object = {}, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name, labels: MANAGED, ...metadata },
  spec: {
    accessModes: ['ReadWriteMany'],
    capacity: { storage: '1Gi' },
    persistentVolumeReclaimPolicy: 'Retain',
    storageClassName: '',
    hostPath: { path, type: 'Directory' },
    claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: 'job-a-b-01234567', name },
    ...spec,
  },
});

/** Attempts on volumes: what is somebody else's, and what is no new, empty disk. */
export function claimAttacks({ project }: Targets): readonly Attempt[] {
  const home = `${spaced(project.namespace)}/persistentvolumeclaims`;
  const source = { kind: 'PersistentVolumeClaim', name: 'other' };
  return [
    ['claim a volume in the platform', post(`${spaced('delos')}/persistentvolumeclaims`, claim())],
    ['read the claims of the platform', get(`${spaced('delos')}/persistentvolumeclaims`)],
    ['delete the database’s claim', remove(`${spaced('delos')}/persistentvolumeclaims/data-postgres-0`)],
    ['list all volumes', get(`${CORE}/persistentvolumes`)],
    [
      'make a volume of the node’s files',
      post(`${CORE}/persistentvolumes`, volume('/etc', 'delos-files-0123456789abcdef')),
    ],
    ['delete a volume', remove(`${CORE}/persistentvolumes/${FILE_STORAGE_VOLUME}`)],
    [
      'change a volume',
      patch(`${CORE}/persistentvolumes/${FILE_STORAGE_VOLUME}`, { spec: { capacity: { storage: '1Ti' } } }),
    ],
    ['claim a volume by its name', post(home, claim({ volumeName: 'of-somebody-else' }))],
    ['claim a copy of another claim', post(home, claim({ dataSource: source }))],
    ['claim a copy by reference', post(home, claim({ dataSourceRef: source }))],
    ['claim volumes by their labels', post(home, claim({ selector: { matchLabels: { any: 'one' } } }))],
    ['claim a raw device', post(home, claim({ volumeMode: 'Block' }))],
    ['claim a volume for many nodes', post(home, claim({ accessModes: ['ReadWriteMany'] }))],
    ['claim with a finalizer', post(home, claim({}, { finalizers: ['attack.example/hold'] }))],
    [
      'claim with an annotation',
      post(home, claim({}, { annotations: { 'volume.kubernetes.io/selected-node': 'node-1' } })),
    ],
    ['change a claim', patch(`${home}/attack`, { spec: { resources: { requests: { storage: '1Ti' } } } })],
    ['apply a claim', applied(`${home}/attack`, claim())],
  ];
}

/** What the agent does with claims, beside taking them away. */
export function claimDuties({ project }: Targets): readonly Attempt[] {
  const home = `${spaced(project.namespace)}/persistentvolumeclaims`;
  return [
    ['claim a disk', post(home, claim({}, { name: 'disk' }))],
    ['see the claims of a project', get(home)],
  ];
}
