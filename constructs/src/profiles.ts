import type { ProfileName } from '@delos/core';
import type { Placement } from './base/placement.ts';

/*
 * The profiles: each is a part of a delos.yaml. It fills in what the file leaves out, so every key of the file overrides it.
 * What `small` does not say is what each key and each service's descriptor say by themselves.
 */

/** A part of a delos.yaml. */
type Part = { readonly [key: string]: Part | string | number | boolean };

const resources = (cpu: string, memory: string, memoryLimit: string): Part => ({ cpu, memory, memoryLimit });

/** A team's platform: one of each service, with room for hundreds of jobs. */
const MEDIUM: Part = {
  logs: { projectLimit: '10Gi', totalLimit: '30Gi', keepDays: 90 },
  services: {
    postgres: { storage: '50Gi', resources: resources('500m', '2Gi', '3Gi') },
    gateway: { resources: resources('100m', '128Mi', '512Mi') },
    keycloak: { resources: resources('500m', '1Gi', '2Gi') },
    redis: { resources: resources('50m', '128Mi', '256Mi') },
    controlApi: { resources: resources('250m', '256Mi', '1Gi') },
    jobRouter: { resources: resources('100m', '64Mi', '256Mi') },
    scheduler: { resources: resources('250m', '256Mi', '1Gi') },
    agent: { resources: resources('100m', '128Mi', '512Mi') },
    collector: { resources: resources('50m', '96Mi', '256Mi') },
    objectStorage: { storage: '100Gi', resources: resources('100m', '128Mi', '512Mi') },
    devpi: { storage: '50Gi', resources: resources('100m', '256Mi', '1Gi') },
    registry: { enabled: true, storage: '200Gi', resources: resources('100m', '128Mi', '512Mi') },
    charts: { enabled: true, storage: '20Gi', resources: resources('50m', '64Mi', '256Mi') },
    prometheus: { storage: '20Gi', resources: resources('200m', '512Mi', '2Gi') },
    alertmanager: { resources: resources('20m', '64Mi', '256Mi') },
    kubeStateMetrics: { enabled: true },
    victoriaLogs: { enabled: true, storage: '20Gi', resources: resources('100m', '256Mi', '1Gi') },
  },
};

/** What projects have buckets in. In `ha` it would go with its node. */
const BUCKETS: Part = { services: { objectStorage: { enabled: true } } };

/** The profiles, by their names. */
export const PROFILES: Readonly<Record<ProfileName, Part>> = {
  small: merged(BUCKETS, { services: { registry: { enabled: true } } }) as Part,
  medium: merged(MEDIUM, BUCKETS) as Part,
  /** Several nodes, of which any may be lost: what can run more than once does. */
  ha: merged(MEDIUM, {
    services: {
      postgres: { replicas: 3 },
      gateway: { replicas: 2 },
      keycloak: { replicas: 2 },
      controlApi: { replicas: 2 },
      jobRouter: { replicas: 2 },
      scheduler: { replicas: 2 },
      // Their volumes go with their nodes.
      registry: { enabled: false },
      charts: { enabled: false },
    },
  }) as Part,
};

/** Where Pods run, by profile. */
export const PLACEMENTS: Readonly<Record<ProfileName, Placement>> = {
  small: { apart: 'preferred' },
  medium: { apart: 'preferred' },
  ha: { apart: 'required', lostNodeSeconds: 30 },
};

/** A delos.yaml as it was read, with the values of its profile where it has none. What is no mapping is left to the schema. */
export function withProfile(given: unknown): unknown {
  const name = isMapping(given) ? (given.profile ?? 'small') : undefined;
  const profile = Object.entries(PROFILES).find(([key]) => key === name)?.[1];
  return profile === undefined ? given : merged(profile, given);
}

/** Dotted paths of the keys that profiles fill in, each service's `resources` as one. */
export const PROFILE_KEYS: ReadonlySet<string> = new Set(
  Object.values(PROFILES).flatMap((profile) => [...pathsOf(profile, '')]),
);

function* pathsOf(part: Part, above: string): Iterable<string> {
  for (const [key, value] of Object.entries(part)) {
    const path = above === '' ? key : `${above}.${key}`;
    if (typeof value === 'object' && key !== 'resources') yield* pathsOf(value, path);
    else yield path;
  }
}

/** The second over the first, mapping by mapping. */
function merged(below: unknown, above: unknown): unknown {
  if (above === undefined) return below;
  if (!isMapping(below) || !isMapping(above)) return above;
  const keys = [...new Set([...Object.keys(below), ...Object.keys(above)])];
  return Object.fromEntries(keys.map((key) => [key, merged(below[key], above[key])]));
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
