import { setTimeout as sleep } from 'node:timers/promises';
import { AUTHORITIES_NAME, type JobPodSpec, type SecurityProfile } from '@delos/core';
import { isKubeError, type KubeClient } from '@delos/kube';
import {
  agentBinding,
  authoritiesManifest,
  httpPolicy,
  levelFor,
  type NetworkSettings,
  namesManifest,
  namespaceManifest,
  networkPolicies,
} from './manifests.ts';

/** The part of a job that its namespace depends on. */
export type NamespaceNeeds = Pick<JobPodSpec, 'namespace' | 'org' | 'project' | 'security' | 'httpPort'>;

type NamespaceSettings = Omit<NetworkSettings, 'deniedCidrs'>;

/** What each project's namespace shall have. Another object wherever it changes. */
interface Wanted {
  /** Networks closed to jobs; undefined: not known yet. */
  readonly closed: readonly string[] | undefined;
  /** Certificate authorities, PEM; undefined: jobs get none. */
  readonly authorities: string | undefined;
}

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
  /** Namespace → what was last written to it; undefined: not by this agent. */
  readonly #written = new Map<string, Wanted | undefined>();
  readonly #firstNetworks = Promise.withResolvers<void>();
  #wanted: Wanted = { closed: undefined, authorities: undefined };
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
    if (this.#wanted.closed?.join() === networks.join()) return;
    this.#wanted = { ...this.#wanted, closed: networks };
    this.#firstNetworks.resolve();
  }

  /** Says whom jobs trust from now on, PEM. @see refresh */
  trust(authorities: string): void {
    if (this.#wanted.authorities === authorities) return;
    this.#wanted = { ...this.#wanted, authorities };
  }

  /** Tells of a namespace that has jobs: its policies may be of an earlier agent. */
  found(namespace: string): void {
    if (!this.#written.has(namespace)) this.#written.set(namespace, undefined);
  }

  /**
   * Writes what is out of date in any namespace: its policies, and whom its jobs trust. Whatever fails is due again at
   * the next call.
   * @returns why one could not be written
   */
  async refresh(): Promise<readonly { readonly namespace: string; readonly error: unknown }[]> {
    const failures: { namespace: string; error: unknown }[] = [];
    const wanted = this.#wanted;
    if (wanted.closed === undefined || this.#refreshing) return failures;
    this.#refreshing = true;
    for (const [namespace, written] of [...this.#written]) {
      if (written === wanted) continue;
      try {
        await this.#applyWanted(namespace);
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
    await this.#applyWanted(spec.namespace);
    const names = namesManifest(spec);
    if (names !== undefined)
      await this.#granted(`/api/v1/namespaces/${spec.namespace}/services/${spec.project}`, names);
  }

  async #applyWanted(namespace: string): Promise<void> {
    const wanted = this.#wanted;
    const settings = { ...this.#settings, deniedCidrs: wanted.closed ?? [] };
    // One after the other: default-deny stands before anything is opened.
    for (const policy of networkPolicies(namespace, settings)) await this.#apply(namespace, policy);
    if (wanted.authorities !== undefined) {
      const path = `/api/v1/namespaces/${namespace}/configmaps/${AUTHORITIES_NAME}`;
      await this.#granted(path, authoritiesManifest(namespace, wanted.authorities));
    }
    this.#written.set(namespace, wanted);
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
    await this.#granted(`/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies/${name}`, policy);
  }

  async #granted(path: string, object: Readonly<Record<string, unknown>>): Promise<void> {
    for (const wait of GRANT_MS) {
      try {
        await this.#client.apply(path, object);
        return;
      } catch (error) {
        if (!isKubeError(error, 403)) throw error;
        await sleep(wait);
      }
    }
    await this.#client.apply(path, object);
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
