import type { PlatformConfig } from '@delos/core';

/**
 * Keys of the configuration that no service reads: how many replicas there are, where images come from, how the cluster and
 * the gateway are reached. The services' file leaves them out, so that a changed replica count touches one object.
 */
export const NOT_FOR_SERVICES: readonly string[] = [
  'profile',
  'buckets.maxObjects',
  'buckets.maxSize',
  'bundle',
  'cluster.engine',
  'cluster.context',
  'cluster.storageClass',
  'cluster.userNamespaces',
  'cluster.embedded',
  'disks.storageClass',
  'dns',
  'images',
  'join',
  'logs.sinks',
  'gateway',
  'monitoring',
  'network',
  'notifications',
  'services',
  'storage',
  'storageClasses',
];

/**
 * The configuration as services read it: all of it but `NOT_FOR_SERVICES`. A change of it rolls them. A new key of the
 * schema reaches the services without a further line here.
 */
export function platformSettings(config: PlatformConfig): string {
  return canonicalJson(without(config, NOT_FOR_SERVICES));
}

/** The object without what lies at these dotted paths. */
function without(object: object, paths: readonly string[]): object {
  return Object.fromEntries(
    Object.entries(object).flatMap(([key, value]: [string, unknown]) => {
      if (paths.includes(key)) return [];
      const below = paths.filter((path) => path.startsWith(`${key}.`)).map((path) => path.slice(key.length + 1));
      const inner = below.length > 0 && typeof value === 'object' && value !== null ? without(value, below) : value;
      return [[key, inner]];
    }),
  );
}

/** JSON with sorted keys: the same content is the same text, whatever order a file had. */
export function canonicalJson(value: unknown): string {
  return `${JSON.stringify(sorted(value), undefined, 2)}\n`;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}
