import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { z } from 'zod';
import { NODE_NAMESPACE, PART_OF, PLATFORM_NAMESPACE, PORTS } from '../../base/names.ts';
import { httpGet } from '../../base/probes.ts';
import { goMemoryLimit } from '../../base/sections/resources-section.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { Workload } from '../../base/workload.ts';
import { ALERTS, PANELS } from './judgements.ts';
import { METRICS, NODES, OBJECTS } from './metrics.ts';

const config = z.strictObject({}).prefault({});
type Config = z.infer<typeof config>;

/** What it tells, and what it tells of itself. */
const OWN = { http: PORTS.http, self: PORTS.internal } as const;
const RBAC = 'rbac.authorization.k8s.io';
/** Name of its roles, for the whole cluster. */
const ROLE = 'delos-kube-state-metrics';
/**
 * It sees the objects of these namespaces, and nodes. Those of projects it neither may nor does read: so nothing of a user's Pod is
 * in a series that others could see, and thousands of jobs make no series.
 */
const NAMESPACES = [PLATFORM_NAMESPACE, NODE_NAMESPACE];

const list = (kinds: Readonly<Record<string, readonly string[]>>): k8s.PolicyRule[] =>
  Object.entries(kinds).map(([group, resources]) => ({
    apiGroups: [group],
    resources: [...resources],
    verbs: ['list', 'watch'],
  }));

/** Tells of the platform's own objects and of nodes: what is wanted, and what is there. */
export class KubeStateMetrics extends Construct {
  readonly workload: Workload;

  constructor(scope: Construct, id: string, at: Site<Config>) {
    super(scope, id);
    const { namespace, image, resources, userNamespaces, context } = at;
    const { name } = kubeStateMetrics;
    const subjects = [{ kind: 'ServiceAccount', name, namespace: namespace.name }];
    const refers = (role: string): k8s.RoleRef => ({ apiGroup: RBAC, kind: 'ClusterRole', name: role });
    const metadata = (of: string): k8s.ObjectMeta => ({ name: of, labels: { ...PART_OF } });
    const nodes = `${ROLE}-nodes`;
    const rights = [
      new k8s.KubeClusterRole(this, 'role', { metadata: metadata(ROLE), rules: list(OBJECTS) }),
      new k8s.KubeClusterRole(this, 'nodes-role', { metadata: metadata(nodes), rules: list(NODES) }),
      new k8s.KubeClusterRoleBinding(this, 'nodes-binding', {
        ...{ metadata: metadata(nodes), roleRef: refers(nodes), subjects },
      }),
      ...NAMESPACES.map(
        (within) =>
          new k8s.KubeRoleBinding(this, `binding-${within}`, {
            ...{ metadata: { ...metadata(ROLE), namespace: within }, roleRef: refers(ROLE), subjects },
          }),
      ),
    ];
    this.workload = new Workload(this, 'workload', {
      namespace,
      name,
      runs: { kind: 'deployment', replicas: 1 },
      image,
      user: kubeStateMetrics.user,
      userNamespace: userNamespaces,
      resources,
      kubernetesToken: true,
      command: [
        '/kube-state-metrics',
        `--port=${OWN.http}`,
        `--telemetry-port=${OWN.self}`,
        `--namespaces=${NAMESPACES.join(',')}`,
        `--resources=${[OBJECTS, NODES]
          .flatMap((kinds) => Object.values(kinds).flat())
          .sort()
          .join(',')}`,
        `--metric-allowlist=${METRICS.map((metric) => `^${metric}$`).join(',')}`,
      ],
      env: () => [goMemoryLimit(resources), { name: 'GOMAXPROCS', value: '1' }],
      ports: OWN,
      podPorts: ['self'],
      probes: {
        // Without the API server it is no less alive.
        startupProbe: {
          httpGet: httpGet('/healthz', 'http'),
          periodSeconds: 1,
          timeoutSeconds: 5,
          failureThreshold: 60,
        },
        readinessProbe: {
          httpGet: httpGet('/readyz', 'self'),
          periodSeconds: 10,
          timeoutSeconds: 5,
          failureThreshold: 3,
        },
        livenessProbe: {
          httpGet: httpGet('/healthz', 'http'),
          periodSeconds: 10,
          timeoutSeconds: 5,
          failureThreshold: 6,
        },
      },
    });
    const { addresses, port } = context.apiServer;
    this.workload.reach({ kind: 'addresses', addresses, ports: [port] });
    this.workload.after(...rights);
  }
}

/** The service that tells of the platform's objects. */
export const kubeStateMetrics: ServiceDescriptor<Config, KubeStateMetrics> = {
  name: 'kube-state-metrics',
  idea: 'kube-state-metrics: Pods, workloads and claims of the platform, and nodes',
  image: 'kube-state-metrics',
  config,
  user: 60635,
  resources: { cpu: '10m', memory: '32Mi', memoryLimit: '128Mi' },
  optional: true,
  metrics: { port: 'http' },
  alerts: ALERTS,
  panels: PANELS,
  wanted: ({ monitoring }) => monitoring.enabled,
  late: true,
  build: (scope, at) => new KubeStateMetrics(scope, 'kube-state-metrics', at),
};
