import { setTimeout as sleep } from 'node:timers/promises';
import { isObject, type Json, type JsonObject, type KubeClient, listAt, text } from '@delos/kube';
import { remedyOf } from './remedies.ts';
import { StorageFault, type WantedVolume } from './wanted.ts';

const EVERY_MS = 300;
/** Words after which waiting is of no use. */
const FINAL = /hostPath type check failed|storageclass\.storage\.k8s\.io ".*" not found/;

/** The surroundings in which a check waits. */
export interface Waiting {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly wanted: WantedVolume;
  /** Milliseconds that one step may take. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

interface Said {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

async function eventsOf({ client, namespace }: Waiting, name: string): Promise<readonly Said[]> {
  const query = { fieldSelector: `involvedObject.name=${name}` };
  const items = listAt(await client.get(`/api/v1/namespaces/${namespace}/events`, query), 'items').filter(isObject);
  return items
    .map((item) => ({
      at: text(item, 'lastTimestamp') || text(item, 'eventTime') || text(item, 'metadata', 'creationTimestamp'),
      type: text(item, 'type'),
      reason: text(item, 'reason'),
      message: text(item, 'message').trim(),
    }))
    .toSorted((a, b) => a.at.localeCompare(b.at));
}

/** The last complaint about a claim or a Pod; of a claim also that it waits for a provisioner. */
async function complaint(waiting: Waiting, claim: string, pod?: string): Promise<string | undefined> {
  const bound = text(
    await waiting.client.tryGet(`${pathOf(waiting, 'persistentvolumeclaims')}/${claim}`),
    'status',
    'phase',
  );
  const ofClaim = bound === 'Bound' ? [] : await eventsOf(waiting, claim);
  const ofPod = pod === undefined ? [] : (await eventsOf(waiting, pod)).filter(({ type }) => type === 'Warning');
  const warned = ofClaim.filter(({ type }) => type === 'Warning').at(-1);
  const waits = ofClaim.filter(({ reason }) => reason === 'ExternalProvisioning').at(-1);
  const last = warned ?? waits ?? ofPod.at(-1);
  return last === undefined ? undefined : `${last.reason}: ${last.message}`;
}

const pathOf = ({ namespace }: Waiting, plural: string): string => `/api/v1/namespaces/${namespace}/${plural}`;

function faultOf({ wanted }: Waiting, words: string): StorageFault {
  return new StorageFault(words, remedyOf(words, wanted));
}

/** Asks again and again until there is an answer. @throws StorageFault with what Kubernetes says, where there is none in time */
async function until<T>(
  waiting: Waiting,
  what: string,
  at: { readonly claim: string; readonly pod?: string },
  ask: () => Promise<T | undefined>,
): Promise<T> {
  const end = Date.now() + waiting.limitMs;
  for (let nth = 1; ; nth += 1) {
    waiting.signal.throwIfAborted();
    const answer = await ask();
    if (answer !== undefined) return answer;
    const late = Date.now() > end;
    if (late || nth % 10 === 0) {
      const said = await complaint(waiting, at.claim, at.pod);
      if (said !== undefined && (late || FINAL.test(said))) throw faultOf(waiting, said);
    }
    if (late)
      throw faultOf(waiting, `${what} within ${Math.round(waiting.limitMs / 1000)} s, and Kubernetes does not say why`);
    await sleep(EVERY_MS);
  }
}

/** What a Pod has said at its end. */
export interface PodEnd {
  readonly node: string;
  /** Size of the volume's file system, in bytes. */
  readonly bytes: number;
}

/** Waits for a Pod's end. @throws StorageFault where it says that something failed, or does not end */
export async function podEnd(waiting: Waiting, claim: string, pod: string): Promise<PodEnd> {
  const object = await until(waiting, 'its Pod has not ended', { claim, pod }, async () => {
    const found = await waiting.client.tryGet(`${pathOf(waiting, 'pods')}/${pod}`);
    return ['Succeeded', 'Failed'].includes(text(found, 'status', 'phase')) ? found : undefined;
  });
  const state = listAt(object, 'status', 'containerStatuses').filter(isObject)[0];
  const said = text(state, 'state', 'terminated', 'message').trim();
  const node = text(object, 'spec', 'nodeName');
  const [, blocks, size] = /^ok (\d+) (\d+)/.exec(said) ?? [];
  if (blocks !== undefined && size !== undefined) return { node, bytes: Number(blocks) * Number(size) };
  const words = said || text(object, 'status', 'message') || text(state, 'state', 'terminated', 'reason');
  throw faultOf(waiting, `${words} (on node ${node})`);
}

/** Waits until a claim has a volume. */
export async function boundVolume(waiting: Waiting, claim: string): Promise<JsonObject> {
  const name = await until(waiting, 'its claim has got no volume', { claim }, async () => {
    const found = await waiting.client.tryGet(`${pathOf(waiting, 'persistentvolumeclaims')}/${claim}`);
    return text(found, 'status', 'phase') === 'Bound' ? text(found, 'spec', 'volumeName') : undefined;
  });
  return (await waiting.client.tryGet(`/api/v1/persistentvolumes/${name}`)) ?? {};
}

/** Waits until a claim is so large, or waits for a Pod alone. */
export async function grownClaim(
  waiting: Waiting,
  claim: string,
  bytesOf: (quantity: string) => number,
  bytes: number,
) {
  await until(waiting, 'its volume has not grown', { claim }, async () => {
    const found = await waiting.client.tryGet(`${pathOf(waiting, 'persistentvolumeclaims')}/${claim}`);
    const pending = listAt(found, 'status', 'conditions').some(
      (each: Json) => text(each, 'type') === 'FileSystemResizePending',
    );
    return pending || bytesOf(text(found, 'status', 'capacity', 'storage')) >= bytes ? true : undefined;
  });
}

/** Deletes a Pod, and waits until its node has given its volume back. */
export async function podGone(waiting: Waiting, claim: string, pod: string): Promise<void> {
  await waiting.client.delete(`${pathOf(waiting, 'pods')}/${pod}`, {});
  await until(waiting, 'its Pod has not gone', { claim, pod }, async () =>
    (await waiting.client.tryGet(`${pathOf(waiting, 'pods')}/${pod}`)) === undefined ? true : undefined,
  );
}

/** Nodes that are ready and take Pods. */
export async function readyNodes(client: KubeClient): Promise<readonly string[]> {
  return listAt(await client.get('/api/v1/nodes'), 'items')
    .filter(isObject)
    .filter(
      (node) =>
        !listAt(node, 'spec', 'taints').some((taint) => ['NoSchedule', 'NoExecute'].includes(text(taint, 'effect'))) &&
        listAt(node, 'status', 'conditions').some(
          (each) => text(each, 'type') === 'Ready' && text(each, 'status') === 'True',
        ),
    )
    .map((node) => text(node, 'metadata', 'name'));
}
