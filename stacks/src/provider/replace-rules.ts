import type { Path } from '@delos/kube';

/*
 * Fields that cannot change on a live object, by group and kind. The API server knows them, and says so to a dry run.
 * These rules stand where it cannot be asked: for inputs that are not known yet, and for a server out of reach.
 * `*` is any list index.
 */
const ALWAYS = ['metadata.name', 'metadata.namespace'] as const;

const RULES: Readonly<Record<string, readonly string[]>> = {
  'apps/DaemonSet': ['spec.selector'],
  'apps/Deployment': ['spec.selector'],
  'apps/ReplicaSet': ['spec.selector'],
  'apps/StatefulSet': ['spec.podManagementPolicy', 'spec.selector', 'spec.serviceName', 'spec.volumeClaimTemplates'],
  'batch/Job': ['spec.completions', 'spec.selector', 'spec.template'],
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

/** True when a change at `path` makes a new object although the server would take it: a new name, and chosen so. */
export function replacesByChoice(apiVersion: string, kind: string, path: Path, mutability: Mutability): boolean {
  const rules: string[] = [...ALWAYS];
  if (apiVersion === 'v1' && kind === 'ConfigMap' && !mutability.configMaps) rules.push('data', 'binaryData');
  if (apiVersion === 'v1' && kind === 'Secret' && !mutability.secrets) rules.push('data', 'stringData');
  return rules.some((rule) => meets(path, rule));
}

/** True when a change at `path` needs a new object. */
export function mustReplace(apiVersion: string, kind: string, path: Path, mutability: Mutability): boolean {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  const key = `${group}/${kind}`;
  if (key === '/Pod' && POD_MUTABLE.some((rule) => isWithin(path, rule))) return false;
  if (replacesByChoice(apiVersion, kind, path, mutability)) return true;
  return (RULES[key] ?? []).some((rule) => meets(path, rule));
}

/** True when `path` is the rule's field, or lies in it. */
function isWithin(path: Path, rule: string): boolean {
  return path.length >= rule.split('.').length && meets(path, rule);
}

/** True when `path` is the rule's field, lies in it, or holds it. */
function meets(path: Path, rule: string): boolean {
  const parts = rule.split('.');
  return path.slice(0, parts.length).every((key, index) => parts[index] === '*' || parts[index] === String(key));
}
