import { createHash } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { FAKE_RESOURCES_ANNOTATION, hostOf, OWN_PREFIX, SYSTEM_NAMESPACE } from '@delos/core';
import { isKubeError, type KubeClient, KubeError } from '@delos/kube';
import { z } from 'zod';
import { type Addon, addonsOf } from '../addons/index.ts';
import { addressesOf, nodeName } from '../host/addresses.ts';
import { askedHash, type NodeSpec } from '../spec.ts';
import type { NodeState } from '../status.ts';

type AddonApi = Pick<KubeClient, 'apply' | 'delete' | 'tryGet'>;

const MARK = `/api/v1/namespaces/${SYSTEM_NAMESPACE}/configmaps/delos-addons`;
const markSchema = z.object({ data: z.object({ hash: z.string() }) });

/**
 * Applies the add-ons once the API server serves, and again when the spec asks for others. What was applied is marked
 * in the cluster, so that a restart changes nothing. Runs until the process ends.
 *
 * @param report `ready` once all are applied, else what it waits for; and for which spec
 */
export async function addAddons(
  spec: () => NodeSpec,
  api: AddonApi,
  serving: () => boolean,
  report: (text: string, used: NodeSpec) => void,
): Promise<never> {
  let done = '';
  for (;;) {
    const used = spec();
    if (serving()) {
      try {
        const addons = addonsOf(used);
        const hash = createHash('sha256').update(JSON.stringify(addons)).digest('hex').slice(0, 16);
        if (hash !== done && hash !== (await appliedHash(api))) {
          report('applying', used);
          for (const each of addons) await applyAddon(api, each);
          await api.apply(MARK, {
            apiVersion: 'v1',
            kind: 'ConfigMap',
            metadata: { name: 'delos-addons', namespace: SYSTEM_NAMESPACE },
            data: { hash },
          });
        }
        done = hash;
        report('ready', used);
      } catch (error) {
        report(error instanceof Error ? error.message : String(error), used);
      }
    }
    await sleep(done === '' ? 100 : 2000);
  }
}

/** A StorageClass cannot be changed: it is made again. Volumes and claims of its name do not notice. */
async function applyAddon(api: AddonApi, { path, object }: Addon): Promise<void> {
  try {
    await api.apply(path, object);
  } catch (error) {
    if (object.kind !== 'StorageClass' || !isKubeError(error, 422)) throw error;
    await api.delete(path);
    await api.apply(path, object);
  }
}

async function appliedHash(api: Pick<KubeClient, 'tryGet'>): Promise<string | undefined> {
  return markSchema.safeParse(await api.tryGet(MARK)).data?.data.hash;
}

/**
 * Asks cluster DNS a question, as a Pod would: by the Service's address. What the API says of CoreDNS may be from
 * before a crash. Runs until the process ends.
 */
export async function watchDns(spec: () => NodeSpec, report: (text: string) => void): Promise<never> {
  for (;;) {
    const resolver = new Resolver({ timeout: 1000, tries: 1 });
    resolver.setServers([addressesOf(spec().number).dnsIp]);
    const failure = await resolver.resolve4(hostOf('kubernetes', 'default')).then(
      () => undefined,
      (error: Error) => error.message,
    );
    report(failure ?? 'ready');
    await sleep(failure === undefined ? 10_000 : 200);
  }
}

const nodeSchema = z.object({
  metadata: z.object({
    labels: z.record(z.string(), z.string()).default({}),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  status: z.object({
    capacity: z.record(z.string(), z.string()).default({}),
    allocatable: z.record(z.string(), z.string()).default({}),
  }),
});

type Found = Pick<NodeState, 'kind' | 'text'>;
type NodeApi = Pick<KubeClient, 'patch' | 'tryGet'>;

const READY: Found = { kind: 'ready', text: '' };
/** How often the Node is looked at, in milliseconds. */
const LOOK_AGAIN = { ready: 3000, waiting: 200, refused: 10_000 } as const satisfies Record<NodeState['kind'], number>;

/**
 * Keeps the Node's labels and fake resources as the spec says; the kubelet forgets the latter when it starts anew. Runs
 * until the process ends.
 *
 * @param pause waits so many milliseconds
 */
export async function keepNode(
  spec: () => NodeSpec,
  api: NodeApi,
  serving: () => boolean,
  report: (state: NodeState) => void,
  pause: (milliseconds: number) => Promise<unknown> = sleep,
): Promise<never> {
  for (;;) {
    const used = spec();
    const state = await look(used, api, serving);
    report({ ...state, asked: askedHash(used) });
    // What was refused is tried again at once when the spec asks for something else.
    for (let waited = 0; waited < LOOK_AGAIN[state.kind] && spec() === used; waited += LOOK_AGAIN.waiting) {
      await pause(LOOK_AGAIN.waiting);
    }
  }
}

async function look(spec: NodeSpec, api: NodeApi, serving: () => boolean): Promise<Found> {
  if (!serving()) return { kind: 'waiting', text: 'waiting for the API server' };
  try {
    return await keepOnce(spec, api);
  } catch (error) {
    return { kind: 'waiting', text: error instanceof Error ? error.message : String(error) };
  }
}

/** Brings the Node to what the spec says, where it is not. */
async function keepOnce(spec: NodeSpec, api: NodeApi): Promise<Found> {
  const path = `/api/v1/nodes/${nodeName(spec.index)}`;
  const found = await api.tryGet(path);
  if (found === undefined) return { kind: 'waiting', text: 'the Node is not registered yet' };
  const node = nodeSchema.parse(found);
  const wanted = Object.fromEntries(Object.entries(spec.fakeResources).map(([name, count]) => [name, String(count)]));
  const before = node.metadata.annotations[FAKE_RESOURCES_ANNOTATION] ?? '';
  const names = Object.keys(wanted).sort().join(' ');
  const dropped = before.split(' ').filter((name) => name !== '' && !(name in wanted));
  const labels = Object.entries(differing(spec.labels, node.metadata.labels));
  // A pool that the configuration no longer names leaves no label behind.
  for (const key of Object.keys(node.metadata.labels)) {
    if (key.startsWith(OWN_PREFIX) && !(key in spec.labels)) labels.push([key, null]);
  }
  const isOwn = ([key]: readonly [string, unknown]): boolean => key.startsWith(OWN_PREFIX);
  // One patch for each, our own labels first: without the pool's label no job runs, whatever else is refused.
  const patches = [
    ['the pool of the Node', path, { metadata: { labels: Object.fromEntries(labels.filter(isOwn)) } }],
    [
      'the fake devices of the Node',
      `${path}/status`,
      {
        status: {
          capacity: differing(wanted, node.status.capacity, dropped),
          allocatable: differing(wanted, node.status.allocatable, dropped),
        },
      },
    ],
    [
      'the names of its fake devices',
      path,
      { metadata: { annotations: before === names ? {} : { [FAKE_RESOURCES_ANNOTATION]: names } } },
    ],
    [
      'the labels of the Node',
      path,
      { metadata: { labels: Object.fromEntries(labels.filter((label) => !isOwn(label))) } },
    ],
  ] as const;
  const refusals: string[] = [];
  for (const [what, at, patch] of patches) {
    if (!changesAnything(patch)) continue;
    const refusal = await refusalOf(api.patch(at, patch));
    if (refusal === undefined) continue;
    const { status, message } = refusal;
    const said = `${what}: the API server answered ${status}, ${message}`;
    // A conflict, too many requests and faults of the server pass. Any other refusal stays.
    if (status >= 500 || status === 404 || status === 409 || status === 429) return { kind: 'waiting', text: said };
    refusals.push(said);
  }
  return refusals.length === 0 ? READY : { kind: 'refused', text: refusals.join('; ') };
}

/** How the API server refused; undefined where it did not. @throws the connection's error */
async function refusalOf(call: Promise<unknown>): Promise<KubeError | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof KubeError) return error;
    throw error;
  }
}

/** True where something lies in an object of objects. */
function changesAnything(patch: object): boolean {
  return Object.values(patch).some((value) =>
    typeof value === 'object' && value !== null ? changesAnything(value) : true,
  );
}

/** A merge patch: what to set, and null for what to remove. */
function differing(
  wanted: Readonly<Record<string, string>>,
  actual: Readonly<Record<string, string>>,
  dropped: readonly string[] = [],
): Record<string, string | null> {
  const result: Record<string, string | null> = {};
  for (const [key, value] of Object.entries(wanted)) if (actual[key] !== value) result[key] = value;
  for (const key of dropped) if (key in actual) result[key] = null;
  return result;
}
