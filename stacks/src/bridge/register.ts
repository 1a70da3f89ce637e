import type { Manifest, Synthesis, SynthesizedObject } from '@delos/constructs';
import type { ProviderArgs } from '@pulumi/kubernetes/provider.js';
import pulumi from '@pulumi/pulumi';
import { marked, marksOf, type SecretValues } from './filled-config.ts';
import { resourceName, typeToken } from './identity.ts';
import { ordered, servicesBeforeTheirBackends } from './order.ts';

/** Inputs of the official provider, which ours takes too. All of them are text on their way to it, flags as well. */
type ProviderInputs = { readonly [Input in keyof ProviderArgs]?: pulumi.Input<string> };

/** Which cluster. */
export interface ClusterConnection {
  /** Path of the kubeconfig, or its text, as a stack that makes a cluster has it. @default the one that the variable KUBECONFIG names */
  readonly kubeconfig?: pulumi.Input<string>;
  /** Context of the kubeconfig. @default its current one */
  readonly context?: pulumi.Input<string>;
}

/**
 * The cluster objects go to. An explicit provider from the first day: moving later would touch every object.
 * @example
 * const provider = new ClusterProvider('cluster', { kubeconfig: '/home/ann/.kube/config', context: 'lab' });
 */
export class ClusterProvider extends pulumi.ProviderResource {
  constructor(name: string, connection: ClusterConnection = {}) {
    // Data of ConfigMaps and Secrets changes in place, so that nothing that reads them is without them in between. What
    // somebody changed in the cluster is set right again: without force the official provider would stop at a conflict.
    const inputs: ProviderInputs = {
      ...connection,
      enableConfigMapMutable: 'true',
      enableSecretMutable: 'true',
      enablePatchForce: 'true',
    };
    super('kubernetes', name, inputs);
  }
}

/** A part of the platform, above its objects in the tree that Pulumi shows. */
class Part extends pulumi.ComponentResource {
  constructor(name: string) {
    super('delos:platform:Part', name);
    this.registerOutputs({});
  }
}

/** One Kubernetes object. */
class ClusterObject extends pulumi.CustomResource {}

const SKIP_AWAIT = 'pulumi.com/skipAwait';

/**
 * Registers each object as a resource of its own, after those it depends on and under its part. In stacks of releases up
 * to 0.1.0 objects have no parent: by its alias such an object is known again.
 *
 * @returns the resources by the id of their object
 */
export function register(
  synthesis: Synthesis,
  options: {
    readonly provider: pulumi.ProviderResource;
    readonly secrets: SecretValues;
    /** In which each object must be ready. */
    readonly limitSeconds?: number;
  },
): ReadonlyMap<string, pulumi.CustomResource> {
  const resources = new Map<string, pulumi.CustomResource>();
  const parts = new Map<string, Part>();
  const partNamed = (name: string): Part => {
    const part = parts.get(name) ?? new Part(name);
    parts.set(name, part);
    return part;
  };
  const objects = ordered(synthesis.objects);
  const unawaited = servicesBeforeTheirBackends(objects);
  const limit = `${options.limitSeconds ?? 0}s`;
  const marks = marksOf(objects, options.secrets);
  for (const object of objects) {
    const { manifest } = object;
    const inputs = marked(
      properties(object, options.secrets.get(object.id) ?? {}, unawaited.has(object.id)),
      manifest.metadata.namespace,
      marks,
    );
    const dependsOn = object.dependsOn.flatMap((id) => resources.get(id) ?? []);
    const resource = new ClusterObject(typeToken(manifest), resourceName(manifest), inputs, {
      provider: options.provider,
      dependsOn,
      ...(options.limitSeconds === undefined ? {} : { customTimeouts: { create: limit, update: limit } }),
      ...(object.part === undefined
        ? {}
        : { parent: partNamed(object.part), aliases: [{ parent: pulumi.rootStackResource }] }),
    });
    resources.set(object.id, resource);
  }
  return resources;
}

function properties(
  object: SynthesizedObject,
  values: Readonly<Record<string, string>>,
  unawaited: boolean,
): Record<string, unknown> {
  const { manifest } = object;
  const annotated = unawaited
    ? {
        ...manifest,
        metadata: { ...manifest.metadata, annotations: { ...manifest.metadata.annotations, [SKIP_AWAIT]: 'true' } },
      }
    : manifest;
  if (manifest.kind === 'ConfigMap') return { ...annotated, ...filledData(annotated, values) };
  if (manifest.kind !== 'Secret') return { ...annotated };
  const { stringData, data, ...rest } = annotated as typeof annotated & {
    readonly stringData?: Readonly<Record<string, string>>;
    readonly data?: Readonly<Record<string, string>>;
  };
  const encode = (plain: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(plain).map(([key, value]) => [key, Buffer.from(value).toString('base64')]));
  return { ...rest, data: pulumi.secret({ ...data, ...encode(stringData ?? {}), ...encode(values) }) };
}

/** Contents of a ConfigMap that are filled in here. They are no secret, so the state has them in the clear. */
function filledData(
  { data }: Manifest & { readonly data?: Readonly<Record<string, string>> },
  values: Readonly<Record<string, string>>,
): Record<string, unknown> {
  return Object.keys(values).length === 0 ? {} : { data: { ...data, ...values } };
}
