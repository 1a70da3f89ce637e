import { CLUSTER_DNS, CLUSTER_DOMAIN, SYSTEM_NAMESPACE } from '@delos/core';
import type { NodeSpec } from '../spec.ts';
import { type Addon, addon, binding, clusterRole, RESTRICTED, serviceAccount, systemDeployment } from './object.ts';

export interface CoreDnsOptions {
  readonly image: string;
  readonly clusterIp: string;
  /** False where the machine itself has no resolver: names outside the cluster are then refused at once. */
  readonly forward: boolean;
  /** The platform's public name and the DNS name of the Service that is the answer; null: it has no name. */
  readonly publicName: NodeSpec['publicName'];
  /** How many nodes there are: of several, the loss of one takes no names away. */
  readonly nodes: number;
}

const LABELS = CLUSTER_DNS;

/**
 * The public name, and each name of a job or an app below it, is answered with the gateway's Service, so that a job reaches the platform by the name that its users
 * know without leaving the cluster. `rewrite` puts the name that was asked for back into the answer.
 */
export function corefile({ forward, publicName }: Pick<CoreDnsOptions, 'forward' | 'publicName'>): string {
  const rewrite =
    publicName === null
      ? ''
      : `    rewrite stop name regex ^([^.]+\\.((jobs|apps)\\.)?)?${publicName.name.replaceAll('.', '\\.')}\\.$ ${publicName.service} answer auto\n`;
  return `.:53 {
${rewrite}    errors
    health {
        lameduck 2s
    }
    ready
    kubernetes ${CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus :9153
${forward ? '    forward . /etc/resolv.conf {\n        max_concurrent 1000\n    }\n' : ''}    cache 30
    loop
    reload
    loadbalance
}
`;
}

export function coredns(options: CoreDnsOptions): readonly Addon[] {
  const probe = (path: string, port: number) => ({ httpGet: { path, port }, timeoutSeconds: 5 });
  return [
    serviceAccount('coredns'),
    clusterRole('system:coredns', [
      { groups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
      { groups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
    ]),
    binding('system:coredns', 'system:coredns', { serviceAccount: 'coredns' }),
    addon(
      'v1',
      'ConfigMap',
      { name: 'coredns', namespace: SYSTEM_NAMESPACE },
      { data: { Corefile: corefile(options) } },
    ),
    addon(
      'v1',
      'Service',
      { name: 'kube-dns', namespace: SYSTEM_NAMESPACE },
      {
        spec: {
          clusterIP: options.clusterIp,
          selector: LABELS,
          ports: [
            { name: 'dns', port: 53, targetPort: 53, protocol: 'UDP' },
            { name: 'dns-tcp', port: 53, targetPort: 53, protocol: 'TCP' },
            { name: 'metrics', port: 9153, targetPort: 9153, protocol: 'TCP' },
          ],
        },
      },
    ),
    systemDeployment({
      name: 'coredns',
      labels: LABELS,
      replicas: Math.min(options.nodes, 2),
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      pod: {
        // The node's own resolvers: cluster DNS cannot ask itself.
        dnsPolicy: 'Default',
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: 'kubernetes.io/hostname',
            whenUnsatisfiable: 'ScheduleAnyway',
            labelSelector: { matchLabels: LABELS },
          },
        ],
        tolerations: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }],
        containers: [
          {
            name: 'coredns',
            image: options.image,
            imagePullPolicy: 'IfNotPresent',
            args: ['-conf', '/etc/coredns/Corefile'],
            ports: [
              { name: 'dns', containerPort: 53, protocol: 'UDP' },
              { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
              { name: 'metrics', containerPort: 9153, protocol: 'TCP' },
            ],
            resources: { requests: { cpu: '50m', memory: '70Mi' }, limits: { memory: '170Mi' } },
            readinessProbe: { ...probe('/ready', 8181), periodSeconds: 2 },
            livenessProbe: { ...probe('/health', 8080), initialDelaySeconds: 60, failureThreshold: 5 },
            securityContext: {
              ...RESTRICTED,
              capabilities: { add: ['NET_BIND_SERVICE'], drop: ['ALL'] },
            },
            volumeMounts: [{ name: 'config', mountPath: '/etc/coredns', readOnly: true }],
          },
        ],
        volumes: [{ name: 'config', configMap: { name: 'coredns' } }],
      },
    }),
  ];
}
