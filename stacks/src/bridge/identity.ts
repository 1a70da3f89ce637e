import type { Manifest } from '@delos/constructs';

/** `kubernetes:<group/version>:<Kind>`; the group without a name is `core`, as in the official provider's schema. */
export function typeToken(manifest: Pick<Manifest, 'apiVersion' | 'kind'>): string {
  const version = manifest.apiVersion.includes('/') ? manifest.apiVersion : `core/${manifest.apiVersion}`;
  return `kubernetes:${version}:${manifest.kind}`;
}

/**
 * The Pulumi name: what the cluster calls the object. It survives any change of the construct tree, and two objects of
 * a kind cannot share it.
 */
export function resourceName(manifest: Manifest): string {
  const { namespace, name } = manifest.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}
