import { ADDON_USERS, MANAGED, SYSTEM_NAMESPACE } from '@delos/core';

/** An object to apply, with the API path it has. */
export interface Addon {
  readonly path: string;
  readonly object: Readonly<Record<string, unknown>>;
}

interface Head {
  readonly name: string;
  readonly namespace?: string;
}

const PLURALS: Readonly<Record<string, string>> = { StorageClass: 'storageclasses', NetworkPolicy: 'networkpolicies' };

/** One object; its path follows from group, kind and namespace. */
export function addon(apiVersion: string, kind: string, head: Head, rest: Readonly<Record<string, unknown>>): Addon {
  const plural = PLURALS[kind] ?? `${kind.toLowerCase()}s`;
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = head.namespace === undefined ? '' : `/namespaces/${head.namespace}`;
  return {
    path: `${group}${scope}/${plural}/${head.name}`,
    object: {
      apiVersion,
      kind,
      metadata: { ...head, labels: { ...MANAGED } },
      ...rest,
    },
  };
}

const RBAC = 'rbac.authorization.k8s.io';

export interface Rule {
  readonly groups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly names?: readonly string[];
}

function rulesOf(rules: readonly Rule[]) {
  return rules.map(({ groups, resources, verbs, names }) => ({
    apiGroups: groups,
    resources,
    verbs,
    ...(names === undefined ? {} : { resourceNames: names }),
  }));
}

export function clusterRole(name: string, rules: readonly Rule[]): Addon {
  return addon(`${RBAC}/v1`, 'ClusterRole', { name }, { rules: rulesOf(rules) });
}

export function role(name: string, namespace: string, rules: readonly Rule[]): Addon {
  return addon(`${RBAC}/v1`, 'Role', { name, namespace }, { rules: rulesOf(rules) });
}

export type Subject = { readonly user: string } | { readonly group: string } | { readonly serviceAccount: string };

function subjectOf(subject: Subject) {
  if ('user' in subject) return { kind: 'User', apiGroup: RBAC, name: subject.user };
  if ('group' in subject) return { kind: 'Group', apiGroup: RBAC, name: subject.group };
  return { kind: 'ServiceAccount', name: subject.serviceAccount, namespace: SYSTEM_NAMESPACE };
}

/** Binds a cluster role; everywhere, or in one namespace. */
export function binding(name: string, roleName: string, subject: Subject, namespace?: string, kind = 'ClusterRole') {
  return addon(
    `${RBAC}/v1`,
    namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
    namespace === undefined ? { name } : { name, namespace },
    { roleRef: { apiGroup: RBAC, kind, name: roleName }, subjects: [subjectOf(subject)] },
  );
}

export function serviceAccount(name: string): Addon {
  return addon('v1', 'ServiceAccount', { name, namespace: SYSTEM_NAMESPACE }, { automountServiceAccountToken: false });
}

interface SystemDeployment {
  /** Also names its user in core's table. */
  readonly name: 'coredns' | 'local-path-provisioner' | 'metrics-server';
  readonly labels: Readonly<Record<string, string>>;
  /** On different nodes, where there are several. @default 1 */
  readonly replicas?: number;
  readonly strategy?: Readonly<Record<string, unknown>>;
  /** Besides what all have: the service account of that name, and the priority of the cluster's own. */
  readonly pod: Readonly<Record<string, unknown>>;
}

/** An addon that runs as Pods. */
export function systemDeployment({ name, labels, replicas = 1, strategy, pod }: SystemDeployment): Addon {
  const spec = {
    serviceAccountName: name,
    automountServiceAccountToken: true,
    priorityClassName: 'system-cluster-critical',
    // A user of its own: nobody else on the machine reads its token or its keys.
    securityContext: {
      runAsNonRoot: true,
      runAsUser: ADDON_USERS[name],
      runAsGroup: ADDON_USERS[name],
      fsGroup: ADDON_USERS[name],
      seccompProfile: { type: 'RuntimeDefault' },
    },
    ...pod,
  };
  return addon(
    'apps/v1',
    'Deployment',
    { name, namespace: SYSTEM_NAMESPACE },
    {
      spec: {
        replicas,
        ...(strategy === undefined ? {} : { strategy }),
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec },
      },
    },
  );
}

/** What Pod Security `restricted` asks of a container. */
export const RESTRICTED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
} as const;
