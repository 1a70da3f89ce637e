/*
 * Names that other rooms and people's scripts lean on. Services are reached by these names inside the cluster.
 */

export { NODE_NAMESPACE, PLATFORM_NAMESPACE } from '@delos/core';

/** Label of every object that Delos makes. */
export const PART_OF = { 'app.kubernetes.io/part-of': 'delos' } as const;

/** What selects the Pods of one part. */
export function selectorOf(name: string): Readonly<Record<string, string>> {
  return { 'app.kubernetes.io/name': name };
}

/** Labels of the objects of one part. */
export function labelsOf(name: string): Readonly<Record<string, string>> {
  return { ...selectorOf(name), ...PART_OF };
}

/** DNS name of a Service inside the cluster. */
export function hostOf(service: string, namespace: string): string {
  return `${service}.${namespace}.svc.cluster.local`;
}

/** Names of the PriorityClasses: the platform's own, and one for each priority of a job. */
export const PRIORITY_CLASSES = {
  /** The platform's own Pods. */
  platform: 'delos-platform',
  low: 'delos-job-low',
  normal: 'delos-job-normal',
  high: 'delos-job-high',
} as const;

/** Ports that several services have. */
export const PORTS = {
  /** A public face, behind the gateway. */
  http: 8080,
  /** A public face with TLS. */
  https: 8443,
  /** Metrics and health; of the control API, the agent protocol too. */
  internal: 8081,
} as const;
