import { setTimeout as sleep } from 'node:timers/promises';
import type { JobPodSpec } from '@delos/core';
import { isKubeError, type KubeClient } from '../kube-client.ts';
import {
  agentBinding,
  httpPolicy,
  levelFor,
  type NetworkSettings,
  namespaceManifest,
  networkPolicies,
} from './manifests.ts';

/** The API server's authorizer learns of a new RoleBinding a moment after it was made. */
const GRANT_MS = [10, 20, 50, 100, 200, 500];

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
    await this.#bind(spec.namespace);
    // One after the other: default-deny stands before anything is opened.
    for (const policy of networkPolicies(spec.namespace, this.#settings)) await this.#apply(spec.namespace, policy);
  }

  async #bind(namespace: string): Promise<void> {
    const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`;
    try {
      await this.#client.create(path, agentBinding(namespace, this.#settings.platformNamespace));
    } catch (error) {
      if (!isKubeError(error, 409)) throw error;
    }
  }

  async #apply(namespace: string, policy: Readonly<Record<string, unknown>>): Promise<void> {
    const { name } = policy.metadata as { readonly name: string };
    const path = `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies/${name}`;
    for (const wait of GRANT_MS) {
      try {
        await this.#client.apply(path, policy);
        return;
      } catch (error) {
        if (!isKubeError(error, 403)) throw error;
        await sleep(wait);
      }
    }
    await this.#client.apply(path, policy);
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
