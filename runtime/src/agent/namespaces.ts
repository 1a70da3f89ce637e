import type { JobPodSpec } from '@delos/core';
import type { KubeClient } from './kube-client.ts';
import {
  httpPolicy,
  levelFor,
  type NetworkSettings,
  namespaceManifest,
  networkPolicies,
} from './namespace-manifests.ts';

/**
 * Project namespaces, made before a project's first Pod and looked after once in the life of the agent: afterwards a
 * job costs no further call.
 */
export class Namespaces {
  readonly #client: KubeClient;
  readonly #settings: NetworkSettings;
  readonly #ready = new Map<string, Promise<void>>();

  constructor(client: KubeClient, settings: NetworkSettings) {
    this.#client = client;
    this.#settings = settings;
  }

  /** Returns when namespace and policies stand that this job needs. */
  async ensure(spec: JobPodSpec): Promise<void> {
    const level = levelFor(spec.security);
    // What a privileged job raised stays raised: lowering it would not let its Pod be made again.
    const raised = this.#ready.has(`${spec.namespace} privileged`);
    await this.#once(`${spec.namespace} ${raised ? 'privileged' : level}`, () => this.#make(spec, level));
    const port = spec.httpPort;
    if (port !== null) {
      await this.#once(`${spec.namespace} http ${port}`, () =>
        this.#apply(spec.namespace, httpPolicy(spec.namespace, port, this.#settings)),
      );
    }
  }

  /** Forgets what is known: a call was refused as if the namespace were not there. */
  forget(namespace: string): void {
    for (const key of this.#ready.keys()) if (key.startsWith(`${namespace} `)) this.#ready.delete(key);
  }

  async #make(spec: JobPodSpec, level: 'baseline' | 'privileged'): Promise<void> {
    await this.#client.apply(`/api/v1/namespaces/${spec.namespace}`, namespaceManifest(spec, level));
    // One after the other: default-deny stands before anything is opened.
    for (const policy of networkPolicies(spec.namespace, this.#settings)) await this.#apply(spec.namespace, policy);
  }

  async #apply(namespace: string, policy: Readonly<Record<string, unknown>>): Promise<void> {
    const { name } = policy.metadata as { readonly name: string };
    await this.#client.apply(`/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies/${name}`, policy);
  }

  async #once(key: string, make: () => Promise<void>): Promise<void> {
    const known = this.#ready.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#ready.set(key, made);
    try {
      await made;
    } catch (error) {
      if (this.#ready.get(key) === made) this.#ready.delete(key);
      throw error;
    }
  }
}
