import { setTimeout as sleep } from 'node:timers/promises';
import type { JobPodSpec, SecurityProfile } from '@delos/core';
import { isKubeError, type KubeClient } from '@delos/kube';
import {
  agentBinding,
  httpPolicy,
  levelFor,
  type NetworkSettings,
  namespaceManifest,
  networkPolicies,
} from './manifests.ts';

/** The part of a job that its namespace depends on. */
export type NamespaceNeeds = Pick<JobPodSpec, 'namespace' | 'org' | 'project' | 'security' | 'httpPort'>;

type NamespaceSettings = Omit<NetworkSettings, 'deniedCidrs'>;

/** The API server's authorizer learns of a new RoleBinding a moment after it was made. */
const GRANT_MS = [10, 20, 50, 100, 200, 500];

/**
 * Project namespaces. One is made before a project's first Pod or disk and looked after once in the life of the agent:
 * afterwards a job costs no further call. Its policies are written again whenever other networks are to be closed.
 */
export class Namespaces {
  readonly #client: KubeClient;
  readonly #settings: NamespaceSettings;
  readonly #ready = new Map<string, Promise<void>>();
  /** Namespace → the closed networks that its policies were last written with; undefined: not by this agent. */
  readonly #written = new Map<string, readonly string[] | undefined>();
  readonly #firstNetworks = Promise.withResolvers<void>();
  #closed: readonly string[] | undefined;
  #refreshing = false;

  constructor(client: KubeClient, settings: NamespaceSettings) {
    this.#client = client;
    this.#settings = settings;
  }

  /**
   * Says which networks are closed to jobs from now on. No namespace is opened before this is known.
   * @see refresh
   */
  close(networks: readonly string[]): void {
    if (this.#closed?.join() === networks.join()) return;
    this.#closed = networks;
    this.#firstNetworks.resolve();
  }

  /** Tells of a namespace that has jobs: its policies may be of an earlier agent. */
  found(namespace: string): void {
    if (!this.#written.has(namespace)) this.#written.set(namespace, undefined);
  }

  /**
   * Writes the policies of those namespaces that close other networks than they should. Whatever fails is due again at
   * the next call.
   * @returns why one could not be written
   */
  async refresh(): Promise<readonly { readonly namespace: string; readonly error: unknown }[]> {
    const failures: { namespace: string; error: unknown }[] = [];
    const closed = this.#closed;
    if (closed === undefined || this.#refreshing) return failures;
    this.#refreshing = true;
    for (const [namespace, written] of [...this.#written]) {
      if (written === closed) continue;
      try {
        await this.#applyPolicies(namespace);
      } catch (error) {
        // Deleted meanwhile, with all that was in it.
        if (isKubeError(error, 404)) this.#written.delete(namespace);
        else failures.push({ namespace, error });
      }
    }
    this.#refreshing = false;
    return failures;
  }

  /** Returns when namespace and policies stand that this job or disk needs. */
  async ensure(spec: NamespaceNeeds): Promise<void> {
    const level = levelFor(spec.security);
    // What a privileged job raised stays raised: lowering it would not let its Pod be made again.
    const raised = this.#ready.has(`${spec.namespace} privileged`);
    await this.#once(`${spec.namespace} ${raised ? 'privileged' : level}`, () => this.#make(spec, level));
    const port = spec.httpPort;
    if (port !== null) {
      const policy = httpPolicy(spec.namespace, port, this.#settings);
      await this.#once(`${spec.namespace} http ${port}`, () => this.#apply(spec.namespace, policy));
    }
  }

  /** Forgets what is known: a call was refused as if the namespace were not there. */
  forget(namespace: string): void {
    for (const key of this.#ready.keys()) if (key.startsWith(`${namespace} `)) this.#ready.delete(key);
  }

  async #make(spec: NamespaceNeeds, level: Exclude<SecurityProfile, 'restricted'>): Promise<void> {
    await this.#firstNetworks.promise;
    await this.#client.apply(`/api/v1/namespaces/${spec.namespace}`, namespaceManifest(spec, level));
    await this.#bind(spec.namespace);
    await this.#applyPolicies(spec.namespace);
  }

  async #applyPolicies(namespace: string): Promise<void> {
    const closed = this.#closed ?? [];
    const settings = { ...this.#settings, deniedCidrs: closed };
    // One after the other: default-deny stands before anything is opened.
    for (const policy of networkPolicies(namespace, settings)) await this.#apply(namespace, policy);
    this.#written.set(namespace, closed);
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
