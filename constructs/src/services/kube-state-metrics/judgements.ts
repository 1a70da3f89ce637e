import type { Alert, Panel } from '../../base/metrics.ts';

/** Pods that are missing, by workload: those wanted less those that are there. */
const missing = (kind: string, wanted: string, there: string): string =>
  `label_replace(${wanted} - ${there}, "workload", "$1", "${kind}", "(.*)")`;

const MISSING = [
  missing('deployment', 'kube_deployment_spec_replicas', 'kube_deployment_status_replicas_available'),
  missing('statefulset', 'kube_statefulset_replicas', 'kube_statefulset_status_replicas_ready'),
  missing('daemonset', 'kube_daemonset_status_desired_number_scheduled', 'kube_daemonset_status_number_available'),
]
  .map((each) => `sum by (namespace, workload) (${each})`)
  .join(' or ');

/** What is found wrong with the platform's own objects and with nodes. */
export const ALERTS: readonly Alert[] = [
  {
    name: 'PodRestartsOften',
    severity: 'warning',
    expr: 'sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total[30m])) > 4',
    for: '5m',
    summary:
      'Containers of {{ $labels.namespace }}/{{ $labels.pod }} ended {{ $value | humanize }} times within half an hour',
  },
  {
    name: 'ReplicasMissing',
    severity: 'warning',
    expr: `(${MISSING}) > 0`,
    for: '15m',
    summary:
      'Of {{ $labels.namespace }}/{{ $labels.workload }}, {{ $value | humanize }} Pods have been missing for a quarter of an hour',
  },
  {
    name: 'ClaimWaits',
    severity: 'warning',
    expr: 'max by (namespace, persistentvolumeclaim) (kube_persistentvolumeclaim_status_phase{phase=~"Pending|Lost"}) > 0',
    for: '30m',
    summary: '{{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} has had no volume for half an hour',
  },
  {
    name: 'JobFailed',
    severity: 'warning',
    expr: 'max by (namespace, job_name) (kube_job_failed{condition="true"}) > 0',
    for: '5m',
    summary: 'The Job {{ $labels.namespace }}/{{ $labels.job_name }} has failed',
  },
  {
    name: 'NodeNotReady',
    severity: 'critical',
    expr: 'max by (node) (kube_node_status_condition{condition="Ready",status="true"}) < 1',
    for: '5m',
    summary: 'The node {{ $labels.node }} is not ready: Kubernetes starts nothing there',
  },
  {
    name: 'NodeUnderPressure',
    severity: 'warning',
    expr: 'max by (node, condition) (kube_node_status_condition{condition=~".+Pressure",status="true"}) > 0',
    for: '5m',
    summary: 'The node {{ $labels.node }} says {{ $labels.condition }}: it takes no Pods, and puts some out',
  },
];

/** What its dashboard shows. */
export const PANELS: readonly Panel[] = [
  {
    title: 'Pods of the platform, by state',
    unit: 'count',
    series: [{ expr: 'sum by (phase) (kube_pod_status_phase) > 0', legend: '{{phase}}' }],
  },
  {
    title: 'Ends of containers within an hour',
    unit: 'count',
    series: [
      {
        expr: 'topk(10, sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total[1h])))',
        legend: '{{namespace}}/{{pod}}',
      },
    ],
  },
  {
    title: 'Pods that are missing',
    unit: 'count',
    kind: 'now',
    series: [{ expr: `(${MISSING}) > 0`, legend: '{{namespace}}/{{workload}}' }],
    emptyUnless: 'a Pod is missing',
  },
  {
    title: 'Conditions of nodes',
    unit: 'count',
    kind: 'now',
    series: [{ expr: 'sum by (condition) (kube_node_status_condition{status="true"})', legend: '{{condition}}' }],
  },
];
