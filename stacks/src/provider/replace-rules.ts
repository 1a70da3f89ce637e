import type { Path } from '@delos/kube';

/*
 * Fields that cannot change on a live object, by group and kind, as the official provider has them
 * (pulumi-kubernetes, provider/pkg/provider/diff). `*` is any list index.
 */
const ALWAYS = ['metadata.name', 'metadata.namespace'] as const;

const RULES: Readonly<Record<string, readonly string[]>> = {
  'apps/DaemonSet': ['spec.selector'],
  'apps/Deployment': ['spec.selector'],
  'apps/ReplicaSet': ['spec.selector'],
  'apps/StatefulSet': [
    'spec.podManagementPolicy',
    'spec.revisionHistoryLimit',
    'spec.selector',
    'spec.serviceName',
    'spec.volumeClaimTemplates',
  ],
  'batch/Job': ['spec.completions', 'spec.parallelism', 'spec.selector', 'spec.template'],
  '/PersistentVolumeClaim': ['spec.accessModes', 'spec.selector', 'spec.storageClassName', 'spec.volumeName'],
  '/PersistentVolume': [
    'spec.awsElasticBlockStore',
    'spec.azureDisk',
    'spec.csi',
    'spec.gcePersistentDisk',
    'spec.hostPath',
    'spec.local',
    'spec.nfs',
  ],
  '/ReplicationController': ['spec.selector'],
  '/Secret': ['type'],
  '/Service': ['spec.clusterIP'],
  '/Pod': ['spec'],
  'policy/PodDisruptionBudget': ['spec'],
  'rbac.authorization.k8s.io/ClusterRoleBinding': ['roleRef'],
  'rbac.authorization.k8s.io/RoleBinding': ['roleRef'],
  'scheduling.k8s.io/PriorityClass': ['value', 'preemptionPolicy'],
  'storage.k8s.io/StorageClass': ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'],
};

/** What a Pod may change while it lives. */
const POD_MUTABLE = [
  'spec.activeDeadlineSeconds',
  'spec.containers.*.image',
  'spec.initContainers.*.image',
  'spec.terminationGracePeriodSeconds',
  'spec.tolerations',
] as const;

export interface Mutability {
  /** Provider inputs enableConfigMapMutable, enableSecretMutable: data is updated in place. */
  readonly configMaps: boolean;
  readonly secrets: boolean;
}

/** True when a change at `path` needs a new object. */
export function mustReplace(apiVersion: string, kind: string, path: Path, mutability: Mutability): boolean {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  const key = `${group}/${kind}`;
  if (key === '/Pod' && POD_MUTABLE.some((rule) => within(path, rule))) return false;
  const rules = [...ALWAYS, ...(RULES[key] ?? [])];
  if (key === '/ConfigMap' && !mutability.configMaps) rules.push('data', 'binaryData');
  if (key === '/Secret' && !mutability.secrets) rules.push('data', 'stringData');
  return rules.some((rule) => within(path, rule));
}

/** True when `path` is the rule's field, lies in it, or holds it. */
function within(path: Path, rule: string): boolean {
  const parts = rule.split('.');
  return path.slice(0, parts.length).every((key, index) => parts[index] === '*' || parts[index] === String(key));
}
