import {
  AGENT_ACCOUNT,
  AGENT_BINDING,
  AGENT_PROJECT_ROLE,
  AUDIT_LABEL,
  AUTHORITIES_KEY,
  AUTHORITIES_NAME,
  CLUSTER_DNS,
  EGRESS_PORTS,
  ENFORCE_LABEL,
  HTTP_PORT_LABEL,
  type JobPodSpec,
  MANAGED_BY,
  NAME_LABEL,
  NAMESPACE_NAME_LABEL,
  ORG_LABEL,
  PROJECT_LABEL,
  SERVICE_NAMES,
  type SecurityProfile,
  SYSTEM_NAMESPACE,
} from '@delos/core';
import { namesJobs } from '../job-name.ts';

type Manifest = Readonly<Record<string, unknown>>;

/**
 * Where jobs may not go: private and shared addresses (cluster, nodes, the site's own net) and link-local ones (cloud
 * metadata).
 */
export const PRIVATE_CIDRS: readonly string[] = [
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
];

export interface NetworkSettings {
  /** Namespace of the gateway, and of the agent itself. */
  readonly platformNamespace: string;
  /** Networks closed to jobs. */
  readonly deniedCidrs: readonly string[];
  /**
   * Addresses at which Pods ask for names, where these are not only Pods': a DNS cache on each node answers at an
   * address of the node, or at that of the DNS Service.
   */
  readonly dnsAddresses: readonly string[];
  /** Whether jobs may use the platform's way out. @default false */
  readonly proxied?: boolean;
}

/**
 * A project's namespace. Pod Security is set by namespace: to `privileged` only when a job that may be privileged is to
 * run there.
 */
export function namespaceManifest(
  spec: Pick<JobPodSpec, 'namespace' | 'org' | 'project'>,
  level: SecurityProfile,
): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: spec.namespace,
      labels: {
        ...MANAGED_BY,
        [ORG_LABEL]: spec.org,
        [PROJECT_LABEL]: spec.project,
        [ENFORCE_LABEL]: level,
        [AUDIT_LABEL]: 'restricted',
      },
    },
  };
}

/** Gives the agent its rights in a project's namespace: it has them nowhere else. */
export function agentBinding(namespace: string, platformNamespace: string): Manifest {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: AGENT_BINDING, namespace, labels: { ...MANAGED_BY } },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: AGENT_PROJECT_ROLE },
    subjects: [{ kind: 'ServiceAccount', name: AGENT_ACCOUNT, namespace: platformNamespace }],
  };
}

/**
 * The level that a namespace needs so that a job of this profile is let in; `restricted` ones are let in by `baseline`.
 */
export function levelFor(security: SecurityProfile): Exclude<SecurityProfile, 'restricted'> {
  return security === 'privileged' ? 'privileged' : 'baseline';
}

/**
 * First nothing in or out. Then DNS, the platform's own entrance and the world outside are opened. IPv6 stays closed:
 * no rule names a block of it, so that no address of a node needs to be excepted there.
 */
export function networkPolicies(namespace: string, settings: NetworkSettings): readonly Manifest[] {
  return [
    policy(namespace, 'default-deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }),
    policy(namespace, 'egress-outside', {
      podSelector: {},
      policyTypes: ['Egress'],
      egress: [
        {
          to: [
            {
              namespaceSelector: { matchLabels: { [NAMESPACE_NAME_LABEL]: SYSTEM_NAMESPACE } },
              podSelector: { matchLabels: { ...CLUSTER_DNS } },
            },
            ...settings.dnsAddresses.map((address) => ({ ipBlock: { cidr: `${address}/32` } })),
          ],
          ports: ['UDP', 'TCP'].map((protocol) => ({ protocol, port: 53 })),
        },
        // Its own policy says which ports it opens.
        { to: [platformPods(settings, SERVICE_NAMES.gateway)] },
        ...(settings.proxied === true
          ? [
              {
                to: [platformPods(settings, SERVICE_NAMES.egress)],
                ports: [{ protocol: 'TCP', port: EGRESS_PORTS.jobs }],
              },
            ]
          : []),
        { to: [{ ipBlock: { cidr: '0.0.0.0/0', except: settings.deniedCidrs } }] },
      ],
    }),
    policy(namespace, 'within-project', {
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [{ podSelector: {} }] }],
      egress: [{ to: [{ podSelector: {} }] }],
    }),
  ];
}

/**
 * Gives the jobs of a project names, `NAME.PROJECT`, or `JOB-ID.PROJECT` where they have none: Pods say theirs themselves, and cluster DNS answers
 * what a Service without an address of its own selects. Resolvers of Pods look in their own namespace first, so that the names of
 * other projects lead nowhere.
 * @returns undefined for a project whose name no Service can have (RFC 1035: a letter first)
 * @see https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-hostname-and-subdomain-fields
 */
export function namesManifest({ namespace, project }: Pick<JobPodSpec, 'namespace' | 'project'>): Manifest | undefined {
  if (!namesJobs(project)) return undefined;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: project, namespace, labels: { ...MANAGED_BY } },
    spec: {
      type: 'ClusterIP',
      clusterIP: 'None',
      // Who waits for a job finds it as soon as it has an address.
      publishNotReadyAddresses: true,
      selector: { ...MANAGED_BY, [PROJECT_LABEL]: project },
    },
  };
}

/** Lets the router of jobs reach the http port of the jobs that have this one. */
export function httpPolicy(
  namespace: string,
  port: number,
  settings: Pick<NetworkSettings, 'platformNamespace'>,
): Manifest {
  return policy(namespace, `http-${port}`, {
    podSelector: { matchLabels: { [HTTP_PORT_LABEL]: String(port) } },
    policyTypes: ['Ingress'],
    ingress: [
      {
        from: [platformPods(settings, SERVICE_NAMES.jobRouter)],
        ports: [{ protocol: 'TCP', port }],
      },
    ],
  });
}

/** The certificate authorities that a project's jobs trust. @param text PEM */
export const authoritiesManifest = (namespace: string, text: string): Manifest => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: AUTHORITIES_NAME, namespace, labels: { ...MANAGED_BY } },
  data: { [AUTHORITIES_KEY]: text },
});

function platformPods({ platformNamespace }: Pick<NetworkSettings, 'platformNamespace'>, service: string): Manifest {
  return {
    namespaceSelector: { matchLabels: { [NAMESPACE_NAME_LABEL]: platformNamespace } },
    podSelector: { matchLabels: { [NAME_LABEL]: service } },
  };
}

function policy(namespace: string, name: string, spec: Manifest): Manifest {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace, labels: { ...MANAGED_BY } },
    spec,
  };
}
