import { k8s } from 'cdk8s-plus-28';
import type { Probes } from './pod.ts';

/** A question by HTTP to a port that has a name. */
export const httpGet = (path: string, port: string): k8s.HttpGetAction => ({
  path,
  port: k8s.IntOrString.fromString(port),
});

/** Probes of a service of ours: it answers for its health on the port `internal`. */
export const OWN_PROBES: Probes = {
  startupProbe: {
    httpGet: httpGet('/health/live', 'internal'),
    periodSeconds: 1,
    timeoutSeconds: 5,
    failureThreshold: 180,
  },
  livenessProbe: {
    httpGet: httpGet('/health/live', 'internal'),
    periodSeconds: 10,
    timeoutSeconds: 5,
    failureThreshold: 6,
  },
  readinessProbe: {
    httpGet: httpGet('/health/ready', 'internal'),
    periodSeconds: 2,
    timeoutSeconds: 5,
    failureThreshold: 3,
  },
};

/** Probes of a server of the Prometheus project, on its port `http`. @param startup how long its start may take */
export function prometheusProbes(startup: {
  readonly periodSeconds: number;
  readonly failureThreshold: number;
}): Probes {
  return {
    startupProbe: { httpGet: httpGet('/-/ready', 'http'), timeoutSeconds: 5, ...startup },
    readinessProbe: { httpGet: httpGet('/-/ready', 'http'), periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 },
    livenessProbe: {
      httpGet: httpGet('/-/healthy', 'http'),
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 6,
    },
  };
}
