/** What it lists and watches in the platform's namespaces, by group of the API. No Secret and no ConfigMap is among it. */
export const OBJECTS: Readonly<Record<string, readonly string[]>> = {
  '': ['persistentvolumeclaims', 'pods'],
  apps: ['daemonsets', 'deployments', 'statefulsets'],
  batch: ['jobs'],
};
/** What has no namespace. */
export const NODES: Readonly<Record<string, readonly string[]>> = { '': ['nodes'] };

/**
 * The metrics that it serves. Each is used by an alert or a panel. Prometheus would keep any other for nothing.
 * @see https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics
 */
export const METRICS = [
  'kube_daemonset_status_desired_number_scheduled',
  'kube_daemonset_status_number_available',
  'kube_deployment_spec_replicas',
  'kube_deployment_status_replicas_available',
  'kube_job_failed',
  'kube_node_status_condition',
  'kube_persistentvolumeclaim_status_phase',
  'kube_pod_container_status_restarts_total',
  'kube_pod_status_phase',
  'kube_statefulset_replicas',
  'kube_statefulset_status_replicas_ready',
] as const;
