import { projectNamespace } from '@delos/core';
import type { KubeRequest } from '../service/agent-token.ts';

/* Requests to the API server as the agent makes them, and as an attacker would change them. */

/** What an attack aims at, and where the agent is at home. */
export interface Targets {
  /** A project's namespace, and a job's Pod there. */
  readonly project: { readonly namespace: string; readonly pod: string };
  /** Names of Pods by part, in namespace `delos`. */
  readonly parts: { readonly postgres: string; readonly gateway: string };
  /** A Pod of kube-system. */
  readonly dns: string;
  readonly node: string;
}

export type Attempt = readonly [name: string, request: KubeRequest];

export const CORE = '/api/v1';
export const RBAC = '/apis/rbac.authorization.k8s.io/v1';
export const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
export const MANAGED = { 'app.kubernetes.io/managed-by': 'delos', 'app.kubernetes.io/part-of': 'delos' };
export const ENFORCE = 'pod-security.kubernetes.io/enforce';
const WEBSOCKET = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'ZGVsb3MgaXMgbm90IGhlcmU=',
  'sec-websocket-protocol': 'v4.channel.k8s.io',
};

export const get = (path: string): KubeRequest => ({ method: 'GET', path });
export const post = (path: string, body: unknown): KubeRequest => ({ method: 'POST', path, body });
export const patch = (path: string, body: unknown): KubeRequest => ({ method: 'PATCH', path, body });
export const remove = (path: string): KubeRequest => ({ method: 'DELETE', path });
export const socket = (path: string): KubeRequest => ({ ...get(path), headers: WEBSOCKET });
export const spaced = (namespace: string): string => `${CORE}/namespaces/${namespace}`;

/** A Pod as the agent makes them, and what an attacker would add. */
export function pod(spec: object = {}, container: object = {}): object {
  return {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name: 'attack' },
    spec: {
      priorityClassName: 'delos-job-normal',
      automountServiceAccountToken: false,
      containers: [{ name: 'main', image: 'ghcr.io/neuro-inc/base', ...container }],
      ...spec,
    },
  };
}

export function namespace(
  name: string,
  org: string,
  project: string,
  labels: object = {},
  annotations: object = {},
): object {
  return {
    ...{ apiVersion: 'v1', kind: 'Namespace' },
    metadata: {
      name,
      labels: { ...MANAGED, 'delos.dev/org': org, 'delos.dev/project': project, [ENFORCE]: 'baseline', ...labels },
      annotations,
    },
  };
}

export function binding(
  role: string,
  options: { name?: string; account?: string; kind?: string; metadata?: object } = {},
): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: options.kind ?? 'RoleBinding',
    metadata: { name: options.name ?? 'delos-agent', labels: MANAGED, ...options.metadata },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', name: options.account ?? 'agent', namespace: 'delos' }],
  };
}

export function policy(name: string, metadata: object = {}): object {
  return {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
    metadata: { name, labels: MANAGED, ...metadata },
    spec: { podSelector: {}, policyTypes: ['Ingress'] },
  };
}

/** A project's namespace as the agent applies it, with more metadata. */
export function namespaceAs(name: string, metadata: object): object {
  const made = namespace(name, 'default', 'default', { 'pod-security.kubernetes.io/audit': 'restricted' }) as {
    readonly metadata: object;
  };
  return { ...made, metadata: { ...made.metadata, ...metadata } };
}

export const put = (path: string, body: unknown): KubeRequest => ({ method: 'PUT', path, body });
export const applied = (path: string, body: unknown): KubeRequest => ({
  method: 'PATCH',
  path: `${path}?fieldManager=delos-agent&force=true`,
  type: 'application/apply-patch+yaml',
  body,
});

export const OWN_ROLE = 'delos-agent-project';
export const NEW = projectNamespace('attack', 'one');
export const TRUSTED = projectNamespace('default', 'unused');
