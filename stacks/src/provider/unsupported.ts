import { isObject, type JsonObject, objectAt, text } from '@delos/kube';
import { parseWaitFor, WAIT_FOR } from '../await/wait-for.ts';
import type { Failure } from './failure.ts';

/*
 * Parts of the official provider that ours does not have. Each is refused by its name: left aside in silence, a program
 * would do something else than it says.
 */

const GUIDE = 'see docs/guides/pulumi.md; the official provider has it';

/** Options that mean something here. The last group changes nothing that ours does. */
const OPTIONS = new Set([
  ...['kubeconfig', 'context', 'namespace', 'clusterIdentifier'],
  ...['enableConfigMapMutable', 'enableSecretMutable', 'enablePatchForce'],
  ...['version', 'pluginDownloadURL', '__internal'],
  ...['suppressDeprecationWarnings', 'suppressHelmHookWarnings', 'suppressHelmReleaseBetaWarning'],
]);
/** Options whose one value is what ours does anyway. */
const FIXED: Readonly<Record<string, string>> = {
  alwaysRender: 'false',
  deleteUnreachable: 'false',
  enableServerSideApply: 'true',
  skipUpdateUnreachable: 'false',
  upsertExistingObjects: 'false',
};

/** What is wrong with the options of a provider resource. */
export function refusedOptions(inputs: JsonObject): readonly Failure[] {
  return Object.entries(inputs)
    .filter(([option, value]) => !OPTIONS.has(option) && value !== '' && String(value) !== FIXED[option])
    .map(([property, value]) => ({
      property,
      reason:
        property in FIXED
          ? `this provider knows only ${FIXED[property]}, got ${String(value)}; ${GUIDE}`
          : `this provider does not have the option ${property}; ${GUIDE}`,
    }));
}

const PREFIX = 'pulumi.com/';
const ANNOTATIONS = new Set([
  ...['autonamed', 'skipAwait', 'timeoutSeconds', 'waitFor'],
  ...['patchForce', 'patchFieldManager', 'deletionPropagationPolicy'],
]);

/** What is wrong with the annotations by which a program steers the provider. */
export function refusedAnnotations(object: JsonObject): readonly Failure[] {
  const annotations = objectAt(object, 'metadata', 'annotations');
  return Object.entries(annotations).flatMap(([name, value]) => {
    if (!name.startsWith(PREFIX)) return [];
    const property = `metadata.annotations["${name}"]`;
    if (name === WAIT_FOR) return refusedWaitFor(property, String(value));
    if (ANNOTATIONS.has(name.slice(PREFIX.length)) || String(value) === 'false') return [];
    return [{ property, reason: `this provider does not have the annotation ${name}; ${GUIDE}` }];
  });
}

function refusedWaitFor(property: string, value: string): readonly Failure[] {
  try {
    parseWaitFor(value);
    return [];
  } catch (error) {
    return [{ property, reason: error instanceof Error ? error.message : String(error) }];
  }
}

/** Why a type of resource is not one that this provider has; undefined for one that may be an object's. */
export function refusedType(type: string, inputs: JsonObject): string | undefined {
  const [, group = '', kind = ''] = type.split(':');
  if (/^helm\.sh\//.test(group)) return `this provider does not have ${kind} of Helm; ${GUIDE}`;
  // The SDK's classes for patches give the patched kind in their inputs.
  if (kind.endsWith('Patch') && isObject(inputs) && text(inputs, 'kind') === kind.slice(0, -'Patch'.length)) {
    return `this provider does not have ${kind}: it changes only objects that are resources of their own; ${GUIDE}`;
  }
  return undefined;
}

/** Why a function or component of the SDK is refused. */
export function refusedFunction(token: string): string {
  const what =
    {
      'kubernetes:helm:template': 'Charts of Helm (kubernetes.helm.v3.Chart)',
      'kubernetes:helm.sh/v4:Chart': 'Charts of Helm (kubernetes.helm.v4.Chart)',
      'kubernetes:kustomize:directory': 'kustomize directories',
      'kubernetes:kustomize/v2:Directory': 'kustomize directories',
      'kubernetes:yaml/v2:ConfigGroup': 'yaml.v2.ConfigGroup (use yaml.ConfigGroup)',
      'kubernetes:yaml/v2:ConfigFile': 'yaml.v2.ConfigFile (use yaml.ConfigFile)',
    }[token] ?? token;
  return `this provider does not have ${what}; ${GUIDE}`;
}
