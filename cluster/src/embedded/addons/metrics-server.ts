import { KUBELET_PORT, SYSTEM_APP_LABEL, SYSTEM_NAMESPACE } from '@delos/core';
import { type Addon, addon, binding, clusterRole, RESTRICTED, serviceAccount, systemDeployment } from './object.ts';

const NAME = 'metrics-server' as const;
const LABELS = { [SYSTEM_APP_LABEL]: NAME };

export interface MetricsServerOptions {
  readonly image: string;
  /** PEM of the cluster's authority and of the serving certificate it signed for `metrics-server.kube-system.svc`. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** metrics-server, both of whose connections are verified: it checks kubelets, the API server checks it. */
export function metricsServer(options: MetricsServerOptions): readonly Addon[] {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const probe = (path: string) => ({ httpGet: { path, port: KUBELET_PORT, scheme: 'HTTPS' } });
  return [
    serviceAccount(NAME),
    {
      ...clusterRole('system:aggregated-metrics-reader', []),
      object: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: {
          name: 'system:aggregated-metrics-reader',
          labels: Object.fromEntries(
            ['view', 'edit', 'admin'].map((to) => [`rbac.authorization.k8s.io/aggregate-to-${to}`, 'true']),
          ),
        },
        rules: [{ apiGroups: ['metrics.k8s.io'], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] }],
      },
    },
    clusterRole(`system:${NAME}`, [
      { groups: [''], resources: ['nodes/metrics'], verbs: ['get'] },
      { groups: [''], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] },
    ]),
    binding(`system:${NAME}`, `system:${NAME}`, { serviceAccount: NAME }),
    binding(`${NAME}:system:auth-delegator`, 'system:auth-delegator', { serviceAccount: NAME }),
    binding(
      `${NAME}-auth-reader`,
      'extension-apiserver-authentication-reader',
      { serviceAccount: NAME },
      SYSTEM_NAMESPACE,
      'Role',
    ),
    addon(
      'v1',
      'Secret',
      { name: `${NAME}-tls`, namespace: SYSTEM_NAMESPACE },
      { type: 'kubernetes.io/tls', data: { 'tls.crt': base64(options.certificate), 'tls.key': base64(options.key) } },
    ),
    addon(
      'v1',
      'Service',
      { name: NAME, namespace: SYSTEM_NAMESPACE },
      { spec: { selector: LABELS, ports: [{ name: 'https', port: 443, targetPort: KUBELET_PORT, protocol: 'TCP' }] } },
    ),
    systemDeployment({
      name: NAME,
      labels: LABELS,
      pod: {
        containers: [
          {
            name: NAME,
            image: options.image,
            imagePullPolicy: 'IfNotPresent',
            args: [
              `--secure-port=${KUBELET_PORT}`,
              '--tls-cert-file=/tls/tls.crt',
              '--tls-private-key-file=/tls/tls.key',
              '--kubelet-preferred-address-types=InternalIP',
              '--kubelet-use-node-status-port',
              '--kubelet-certificate-authority=/authority/ca.crt',
              '--metric-resolution=15s',
            ],
            ports: [{ name: 'https', containerPort: KUBELET_PORT, protocol: 'TCP' }],
            resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '256Mi' } },
            readinessProbe: { ...probe('/readyz'), periodSeconds: 5 },
            livenessProbe: { ...probe('/livez'), initialDelaySeconds: 30, periodSeconds: 10 },
            securityContext: RESTRICTED,
            volumeMounts: [
              { name: 'tls', mountPath: '/tls', readOnly: true },
              { name: 'authority', mountPath: '/authority', readOnly: true },
            ],
          },
        ],
        volumes: [
          { name: 'tls', secret: { secretName: `${NAME}-tls`, defaultMode: 0o400 } },
          { name: 'authority', configMap: { name: 'kube-root-ca.crt' } },
        ],
      },
    }),
    addon(
      'apiregistration.k8s.io/v1',
      'APIService',
      { name: 'v1beta1.metrics.k8s.io' },
      {
        spec: {
          service: { name: NAME, namespace: SYSTEM_NAMESPACE, port: 443 },
          group: 'metrics.k8s.io',
          version: 'v1beta1',
          caBundle: base64(options.ca),
          groupPriorityMinimum: 100,
          versionPriority: 100,
        },
      },
    ),
  ];
}
