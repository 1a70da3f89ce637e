/*
 * Names that other rooms and people's scripts lean on. Services are reached by these names inside the cluster.
 */

/** Where the platform's own services run; Pod Security `restricted`. */
export const PLATFORM_NAMESPACE = 'delos';
/** Where the log collector runs, which must read the node's disk; Pod Security `privileged`. */
export const NODE_NAMESPACE = 'delos-node';
/** Label of every object that Delos makes. */
export const PART_OF = { 'app.kubernetes.io/part-of': 'delos' } as const;

/** What selects the Pods of one part. */
export function selectorOf(name: string): Readonly<Record<string, string>> {
  return { 'app.kubernetes.io/name': name };
}

export function labelsOf(name: string): Readonly<Record<string, string>> {
  return { ...selectorOf(name), ...PART_OF };
}

/** DNS name of a Service in the platform's namespace. */
export function hostOf(service: string): string {
  return `${service}.${PLATFORM_NAMESPACE}.svc.cluster.local`;
}

export const PRIORITY_CLASSES = {
  platform: 'delos-platform',
  low: 'delos-job-low',
  normal: 'delos-job-normal',
  high: 'delos-job-high',
} as const;

/** One port, one number, wherever it is named. */
export const PORTS = {
  postgres: 5432,
  /** The control API's and Keycloak's public face, behind the gateway. */
  http: 8080,
  https: 8443,
  /** Metrics, health, and the agent protocol. */
  internal: 8081,
  keycloakManagement: 9000,
} as const;
