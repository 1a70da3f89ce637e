import { k8s } from 'cdk8s-plus-28';
import type { Probes } from './pod.ts';

const at = (path: string): k8s.HttpGetAction => ({ path, port: k8s.IntOrString.fromString('internal') });

/** Probes of a service of ours: it answers for its health on the port `internal`. */
export const OWN_PROBES: Probes = {
  startupProbe: { httpGet: at('/health/live'), periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 180 },
  livenessProbe: { httpGet: at('/health/live'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
  readinessProbe: { httpGet: at('/health/ready'), periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 3 },
};
