import type { PlatformConfig } from '@delos/core';

/**
 * The part of the configuration that services read; a change of it rolls them. How often they run, where their images
 * come from and how the gateway is reached are left out, so that a changed replica count touches one object.
 */
export function platformSettings(config: PlatformConfig): string {
  const { domain, cluster, admin, users, nodePools, presets, organizations } = config;
  return canonicalJson({
    domain,
    cluster: { name: cluster.name },
    admin,
    users,
    nodePools,
    presets,
    organizations,
  });
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
