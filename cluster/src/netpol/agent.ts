import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type KubeClient, Reflector } from '@delos/kube';
import { addressPods, releaseKey } from './addresses.ts';
import { Assignments } from './assignments.ts';
import { closedTable, compile, type NodeFacts } from './compile.ts';
import { Enforcer } from './enforcer.ts';
import type { NamespaceFacts, PodFacts, PolicyFacts } from './facts.ts';
import { type GateAnswer, type GateRequest, serveGate } from './gate.ts';
import { contains, tryAddress } from './ipv4.ts';
import { LeavingElsewhere, LeavingPods } from './leaving.ts';
import type { Nft } from './nft.ts';
import { parseNamespace, parsePod, parsePolicy, sealing } from './parse.ts';

export interface AgentOptions {
  readonly api: KubeClient;
  readonly nft: Nft;
  readonly node: NodeFacts;
  /** Unix socket on which the CNI plugin asks. */
  readonly socket: string;
  /** Folder of what must outlive the process. */
  readonly state: string;
  readonly log: (message: string) => void;
}

/** Events that come together share one transaction. */
const DEBOUNCE_MS = 20;
const RETRY_MS = 1_000;
/** Between two readings of the table, which take up to 1/50 of the time. */
const AUDIT_MS = { least: 3_000, share: 50 } as const;
/** What one Pod's start may wait for: the first sync, and each read of the API. */
const SYNC_LIMIT_MS = 10_000;
const READ_LIMIT_MS = 5_000;

const POLICIES = '/apis/networking.k8s.io/v1';

/**
 * Watches Pods, namespaces and policies, and keeps the node's table. In words: closed → (all three lists read) → synced;
 * from then on each change, and each Pod that the gate announces, is one transaction.
 */
export class Agent {
  readonly #options: AgentOptions;
  readonly #enforcer: Enforcer;
  readonly #assignments: Assignments;
  readonly #pods: Reflector<PodFacts>;
  readonly #namespaces: Reflector<NamespaceFacts>;
  readonly #policies: Reflector<PolicyFacts>;
  /** Addresses that the gate took back of Pods that the API still shows with them. */
  readonly #released = new Set<string>();
  readonly #leaving = new LeavingPods();
  readonly #elsewhere: LeavingElsewhere;
  readonly #started = new Date();
  #timer: NodeJS.Timeout | undefined;
  #synced = false;

  constructor(options: AgentOptions) {
    this.#options = options;
    const { api, log } = options;
    this.#assignments = new Assignments(join(options.state, 'sandboxes'));
    this.#elsewhere = new LeavingElsewhere((ip) => contains(options.node.podCidr, tryAddress(ip) ?? -1));
    this.#enforcer = new Enforcer({ nft: options.nft, log, wanted: () => this.#wanted() });
    const changed = () => this.#soon(DEBOUNCE_MS);
    const reflected = <T>(path: string, read: (object: unknown) => T | undefined): Reflector<T> =>
      new Reflector({
        client: api,
        path,
        read,
        onChange: changed,
        onListed: changed,
        onProblem: ({ message }) => log(`${path}: ${message}`),
      });
    this.#pods = reflected('/api/v1/pods', this.#tolerant(parsePod, undefined));
    this.#namespaces = reflected('/api/v1/namespaces', this.#tolerant(parseNamespace, undefined));
    this.#policies = reflected(`${POLICIES}/networkpolicies`, this.#tolerant(parsePolicy, sealing));
  }

  /** Until the signal fires. @throws DelosError ERR_INTERNAL when nft cannot be used at all */
  async run(signal: AbortSignal): Promise<void> {
    const { node, log, socket } = this.#options;
    await this.#enforcer.adopt(node.table, closedTable(node));
    const server = await serveGate(socket, (request) => this.#answer(request));
    const reflectors = [this.#pods, this.#namespaces, this.#policies];
    const runs = reflectors.map((reflector) => reflector.run(signal));
    const audits = this.#audits(signal);
    void this.#whenSynced().then(() => {
      this.#synced = true;
      log('synced');
      this.#soon(0);
    });
    await Promise.all([...runs, audits]);
    clearTimeout(this.#timer);
    server.close();
  }

  async #whenSynced(): Promise<void> {
    await Promise.all([this.#pods.listed, this.#namespaces.listed, this.#policies.listed]);
  }

  /** Pods that the API shows, and those that leave. */
  #present(): readonly PodFacts[] {
    const shown = [...this.#pods.values()];
    return [...shown, ...this.#leaving.update(shown, this.#assignments.values(), performance.now())];
  }

  #wanted() {
    const pods = this.#present();
    const alive = new Set(pods.map(({ uid }) => uid));
    for (const key of this.#released) if (!alive.has(key.split(' ')[0] ?? '')) this.#released.delete(key);
    return compile(
      {
        namespaces: [...this.#namespaces.values()],
        pods: addressPods(pods, this.#assignments.values(), this.#released),
        leaving: addressPods(this.#elsewhere.update(this.#pods.values(), performance.now()), [], new Set()),
        policies: [...this.#policies.values()],
      },
      this.#options.node,
    );
  }

  /** Before all is known, rules would be too few: what is in the kernel stays. */
  #soon(delay: number): void {
    if (!this.#synced || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#enforcer.flush().catch((error: unknown) => {
        this.#options.log(`rules could not be changed, the old ones hold: ${String(error)}`);
        this.#soon(RETRY_MS);
      });
    }, delay);
  }

  async #audits(signal: AbortSignal): Promise<void> {
    let took = 0;
    while (!signal.aborted) {
      const pause = Math.max(AUDIT_MS.least, took * AUDIT_MS.share);
      await sleep(pause, undefined, { signal }).catch(() => undefined);
      if (!this.#synced || signal.aborted) continue;
      this.#tidy();
      // Time alone ends their leave: no event comes of it.
      if (this.#elsewhere.size > 0) this.#soon(0);
      const started = performance.now();
      await this.#enforcer
        .audit(this.#options.node.table)
        .catch((error: unknown) => this.#options.log(`audit: ${String(error)}`));
      took = performance.now() - started;
    }
  }

  /** Sandboxes whose removal nobody told us of, since we were down: without its Pod a note opens nothing. */
  #tidy(): void {
    const alive = new Set(this.#present().map(({ uid }) => uid));
    for (const { uid, container } of this.#assignments.values()) {
      if (!alive.has(uid)) this.#assignments.delete(container);
    }
  }

  async #answer(request: GateRequest): Promise<GateAnswer> {
    switch (request.command) {
      case 'status':
        return { ok: true, status: this.status() };
      case 'check':
        return this.#programmed(request.ip) && this.#assignments.get(request.container)?.ip === request.ip
          ? { ok: true }
          : { ok: false, error: `${request.namespace}/${request.name}: ${request.ip} is not programmed` };
      case 'del':
        return this.#remove(request.container);
      case 'add':
        return this.#add(request);
      default:
        return request satisfies never;
    }
  }

  /** Health and figures; all since the process started. */
  status() {
    const table = this.#enforcer.applied;
    return {
      pid: process.pid,
      started: this.#started.toISOString(),
      synced: this.#synced,
      pods: table?.sets.get('known')?.elements.size ?? 0,
      policies: [...this.#policies.values()].length,
      chains: table?.chains.size ?? 0,
      ...this.#enforcer.counters,
    };
  }

  #programmed(ip: string): boolean {
    return this.#enforcer.applied?.sets.get('known')?.elements.has(ip) ?? false;
  }

  /**
   * The Pod, its namespace and its namespace's policies are read from the API at this moment: what was there before
   * the Pod got its network holds from its first packet, however far behind the watches are.
   */
  async #add(request: GateRequest & { readonly command: 'add' }): Promise<GateAnswer> {
    const { namespace, name, container, ip } = request;
    const who = `${namespace}/${name}`;
    await within(SYNC_LIMIT_MS, this.#whenSynced(), 'Pods, namespaces and policies have not all been listed yet');
    const get = (path: string): Promise<unknown> => this.#options.api.tryGet(path, { limitMs: READ_LIMIT_MS });
    const [pod, home, policies] = await Promise.all([
      get(`/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`),
      get(`/api/v1/namespaces/${encodeURIComponent(namespace)}`),
      get(`${POLICIES}/namespaces/${encodeURIComponent(namespace)}/networkpolicies`),
    ]);
    if (pod === undefined || home === undefined) return { ok: false, error: `the API knows no Pod ${who}` };
    const { uid } = parsePod(pod);
    if (request.uid !== '' && request.uid !== uid) {
      return { ok: false, error: `the API's Pod ${who} is another of that name` };
    }
    this.#namespaces.put(home);
    this.#policies.put(...items(policies));
    this.#pods.put(pod);
    this.#assignments.put({ container, namespace, name, uid, ip });
    await this.#enforcer.flush();
    if (this.#programmed(ip)) return { ok: true };
    this.#assignments.delete(container);
    return { ok: false, error: `Pod ${who} is gone, finished or without a network of its own` };
  }

  async #remove(container: string): Promise<GateAnswer> {
    const found = this.#assignments.get(container);
    if (found === undefined) return { ok: true };
    this.#released.add(releaseKey(found.uid, found.ip));
    this.#assignments.delete(container);
    await this.#enforcer.flush();
    return { ok: true };
  }

  #tolerant<T>(parse: (object: unknown) => T, otherwise: ((namespace: string, name: string) => T) | undefined) {
    return (object: unknown): T | undefined => {
      try {
        return parse(object);
      } catch (error) {
        const { namespace = '', name = '' } = (object as { readonly metadata?: Record<string, string> }).metadata ?? {};
        this.#options.log(`${namespace}/${name} cannot be read: ${String(error)}`);
        return otherwise?.(namespace, name);
      }
    };
  }
}

function items(list: unknown): readonly unknown[] {
  const found = (list as { readonly items?: unknown } | undefined)?.items;
  return Array.isArray(found) ? found : [];
}

async function within<T>(limitMs: number, work: Promise<T>, otherwise: string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${otherwise} (${limitMs / 1000} s)`)), limitMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
