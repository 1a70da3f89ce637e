import { type Manifest, type Synthesis, type WantedSecret, withSecrets } from '@delos/constructs';
import { NODE_NAMESPACE, PLATFORM_NAMESPACE, yamlText } from '@delos/core';
import { type JsonObject, KubeError } from '@delos/kube';
import { z } from 'zod';
import { signingKey } from '../registry/server.ts';
import type { ControlPlane } from '../service/control-plane.ts';

/** The kind of External Secrets, as far as this API server checks it: its operator is not here. */
const EXTERNAL_SECRETS = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'externalsecrets.external-secrets.io' },
  spec: {
    group: 'external-secrets.io',
    scope: 'Namespaced',
    names: { plural: 'externalsecrets', singular: 'externalsecret', kind: 'ExternalSecret' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

/** As NVIDIA's GPU operator makes it: a Pod that names none that is there is refused. */
const RUNTIME_CLASS = {
  apiVersion: 'node.k8s.io/v1',
  kind: 'RuntimeClass',
  metadata: { name: 'nvidia' },
  handler: 'nvidia',
};

/** Something of the right form, where whoever deploys puts the value. */
function valueFor({ source }: WantedSecret): string {
  if (source.kind === 'password' || source.kind === 'file') return 'a-value';
  if (source.kind === 'signing-key') return SIGNING_KEY;
  const what = source.kind.endsWith('key') ? 'PRIVATE KEY' : 'CERTIFICATE';
  return `-----BEGIN ${what}-----\nMA==\n-----END ${what}-----\n`;
}

const SIGNING_KEY = signingKey();
const FIRST = ['Namespace', 'PriorityClass'];
const WORKLOADS = ['Deployment', 'StatefulSet', 'DaemonSet'];
const workload = z.looseObject({
  spec: z.looseObject({ template: z.looseObject({ spec: z.looseObject({}) }) }),
});

/** An API server's answers to manifests, without keeping any of them. */
export class DryRun {
  readonly #plane: ControlPlane;
  /** What it said to each manifest, by its text: most manifests are the same in many combinations. */
  readonly #said = new Map<string, string | undefined>();
  #asked = 0;

  constructor(plane: ControlPlane) {
    this.#plane = plane;
  }

  /** How many different manifests the server was asked about. */
  get asked(): number {
    return this.#asked;
  }

  /** What others need to be there: namespaces, priorities, and the kind of External Secrets. */
  async prepare({ objects }: Synthesis): Promise<void> {
    const { client } = this.#plane;
    await this.#apply(EXTERNAL_SECRETS, false);
    await this.#apply(RUNTIME_CLASS, false);
    for (const { manifest } of objects) if (FIRST.includes(manifest.kind)) await this.#apply(manifest, false);
    const started = Date.now();
    while ((await client.tryType('external-secrets.io/v1', 'ExternalSecret')) === undefined) {
      if (Date.now() - started > 60_000) throw new Error('the server does not serve the kind of External Secrets');
    }
  }

  /** Manifests, and Pods of their templates, that the server refuses, each with its words. */
  async refusals(synthesis: Synthesis): Promise<readonly string[]> {
    const found: string[] = [];
    // A Secret of type kubernetes.io/tls is refused without its keys.
    for (const manifest of withSecrets(synthesis, valueFor)) {
      const asked = [manifest, ...(WORKLOADS.includes(manifest.kind) ? [podOf(manifest)] : [])];
      for (const each of asked) {
        const refusal = await this.#refusal(each);
        if (refusal !== undefined) found.push(`${each.kind} ${each.metadata.name}: ${refusal}`);
      }
    }
    return found;
  }

  /** Why a Pod of this workload would be refused in the namespace of the platform; undefined where it would not. */
  refusalAmongRestricted(manifest: Manifest): Promise<string | undefined> {
    const pod = podOf(manifest);
    return this.#refusal({ ...pod, metadata: { ...pod.metadata, namespace: PLATFORM_NAMESPACE } });
  }

  async #refusal(manifest: Manifest): Promise<string | undefined> {
    const text = yamlText(manifest);
    if (!this.#said.has(text)) {
      this.#asked += 1;
      this.#said.set(text, await this.#apply(manifest, true));
    }
    return this.#said.get(text);
  }

  async #apply(manifest: Manifest, dryRun: boolean): Promise<string | undefined> {
    const { apiVersion, kind, metadata } = manifest;
    const ref = { apiVersion, kind, name: metadata.name, namespace: metadata.namespace };
    try {
      await this.#plane.client.apply(ref, JSON.parse(JSON.stringify(manifest)) as JsonObject, {
        fieldManager: 'test',
        force: true,
        dryRun,
      });
      return undefined;
    } catch (error) {
      if (error instanceof KubeError) return error.message;
      throw error;
    }
  }
}

/** One Pod of a workload, as its controller would make it. */
function podOf(manifest: Manifest): Manifest {
  const { spec } = workload.parse(manifest);
  const claims = z.looseObject({
    volumeClaimTemplates: z.array(z.looseObject({ metadata: z.object({ name: z.string() }) })).default([]),
  });
  const claimed = claims.parse(manifest.spec).volumeClaimTemplates.map(({ metadata: { name } }) => ({
    name,
    persistentVolumeClaim: { claimName: `${name}-${manifest.metadata.name}-0` },
  }));
  const { volumes } = z.looseObject({ volumes: z.array(z.unknown()).default([]) }).parse(spec.template.spec);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${manifest.metadata.name}-0`, namespace: manifest.metadata.namespace ?? NODE_NAMESPACE },
    spec: { ...spec.template.spec, volumes: [...volumes, ...claimed] },
  };
}
