import { type JsonObject, type KubeconfigChoice, text } from '@delos/kube';
import type { Mutability } from './replace-rules.ts';

/** Inputs of the provider resource, named and written (every value a string) as the official provider has them. */
export interface ProviderSettings {
  readonly connection: KubeconfigChoice;
  readonly mutability: Mutability;
  /** Namespace of objects that name none; undefined: the context's. */
  readonly namespace: string | undefined;
  /** Fields that another manager has set are taken from it. */
  readonly force: boolean;
}

export function providerSettings(inputs: JsonObject): ProviderSettings {
  const given = (key: string): string | undefined => (text(inputs, key) === '' ? undefined : text(inputs, key));
  const flag = (key: string): boolean => String(inputs[key] ?? 'false') === 'true';
  const kubeconfig = given('kubeconfig');
  const context = given('context');
  return {
    connection: {
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      ...(context === undefined ? {} : { context }),
    },
    mutability: { configMaps: flag('enableConfigMapMutable'), secrets: flag('enableSecretMutable') },
    namespace: given('namespace'),
    force: flag('enablePatchForce'),
  };
}

/**
 * Another cluster needs every object anew; another way to the same one, or another flag, does not. The cluster is told
 * by its server; where that cannot be found out, the settings are taken to mean the same one.
 */
export async function isOtherCluster(
  before: JsonObject,
  after: JsonObject,
  serverOf: (of: KubeconfigChoice) => Promise<string>,
): Promise<boolean> {
  const [was, is] = [text(before, 'clusterIdentifier'), text(after, 'clusterIdentifier')];
  if (was !== '' && is !== '') return was !== is;
  try {
    return (
      (await serverOf(providerSettings(before).connection)) !== (await serverOf(providerSettings(after).connection))
    );
  } catch {
    return false;
  }
}
