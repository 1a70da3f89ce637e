import { DEFAULT_CLASS_ANNOTATION, SERVICE_NAME_LABEL } from '@delos/core';
import { at, isObject, type JsonObject, listAt, objectAt, text } from '@delos/kube';
import type { ObjectClient } from '../kube/object-client.ts';
import { judge } from './judge.ts';
import { byTime, explainPod, isPodReady } from './pods.ts';
import { sharedList } from './shared-lists.ts';
import { ALONE, type Surroundings, type Verdict } from './verdict.ts';

/**
 * Fetches what a verdict on this object needs beside it.
 * @param since when the wait for it began, by `performance.now()`: nothing older is taken
 */
export async function lookAround(
  client: ObjectClient,
  object: JsonObject,
  since: number,
  signal?: AbortSignal,
): Promise<Surroundings> {
  const namespace = text(object, 'metadata', 'namespace');
  const kind = text(object, 'kind');
  if (kind === 'Service' && text(object, 'apiVersion') === 'v1') {
    const name = text(object, 'metadata', 'name');
    const slices = { apiVersion: 'discovery.k8s.io/v1', plural: 'endpointslices', namespace };
    const all = await sharedList(client, slices, since, signal);
    const endpointSlices = all.filter((slice) => text(slice, 'metadata', 'labels', SERVICE_NAME_LABEL) === name);
    const around = { ...ALONE, endpointSlices };
    // Why there is no endpoint is worth a question only where there is none.
    if (judge(object, around).state === 'ready') return around;
    const plurals = ['deployments', 'statefulsets', 'daemonsets'];
    const workloads = await Promise.all(
      plurals.map((plural) => sharedList(client, { apiVersion: 'apps/v1', plural, namespace }, since, signal)),
    );
    return { ...around, workloads: workloads.flat() };
  }
  if (kind === 'PersistentVolumeClaim') return { ...ALONE, storageClass: await storageClass(client, object, signal) };
  return ALONE;
}

/** Whether a workload is ready, and as its form says, judged from itself alone. */
export const verdictOn = (workload: JsonObject): Verdict => judge(workload, ALONE);

async function storageClass(
  client: ObjectClient,
  claim: JsonObject,
  signal?: AbortSignal,
): Promise<JsonObject | undefined> {
  const classes = await client.api.get('/apis/storage.k8s.io/v1/storageclasses', {}, { signal });
  // '' asks for a volume that is there, of no class. Left out, it is the cluster's default.
  const named = at(claim, 'spec', 'storageClassName');
  return listAt(classes, 'items')
    .filter(isObject)
    .find((item) =>
      typeof named === 'string'
        ? text(item, 'metadata', 'name') === named
        : text(item, 'metadata', 'annotations', DEFAULT_CLASS_ANNOTATION) === 'true',
    );
}

/**
 * Why the Pods behind an object are not ready: the youngest one's trouble, with the last line of a crashed container.
 * '' where there is no Pod or nothing is known. Never throws for want of permission: an explanation is not the result.
 */
export async function explain(client: ObjectClient, object: JsonObject, signal?: AbortSignal): Promise<string> {
  try {
    return await explainOrThrow(client, object, signal);
  } catch (error) {
    signal?.throwIfAborted();
    return `(its Pods could not be looked at: ${error instanceof Error ? error.message : String(error)})`;
  }
}

async function explainOrThrow(client: ObjectClient, object: JsonObject, signal?: AbortSignal): Promise<string> {
  const namespace = text(object, 'metadata', 'namespace');
  const own = await ownEvent(client, object, signal);
  const selector = podSelector(object);
  if (selector === undefined) return own;
  const pods = await client.list({ apiVersion: 'v1', plural: 'pods', namespace }, { labelSelector: selector }, signal);
  const pod = pods
    .filter((item) => !isPodReady(item) && text(item, 'metadata', 'deletionTimestamp') === '')
    .sort((a, b) => born(a) - born(b))
    .at(-1);
  if (pod === undefined) return own;
  const name = text(pod, 'metadata', 'name');
  const trouble = explainPod(pod, await eventsOf(client, pod, signal));
  if (trouble === undefined) return `Pod ${name}: no event yet`;
  if (trouble.crashed === undefined) return `Pod ${name}: ${trouble.message}`;
  const log = await client.logTail({ namespace, name, ...trouble.crashed }, signal).catch(() => '');
  const line = log.trimEnd().split('\n').at(-1) ?? '';
  return `Pod ${name}: ${trouble.message}${line === '' ? '' : `, last log line: ${line.slice(0, 300)}`}`;
}

const born = (object: JsonObject): number => Date.parse(text(object, 'metadata', 'creationTimestamp'));

function podSelector(object: JsonObject): string | undefined {
  const kind = text(object, 'kind');
  const labels =
    kind === 'Service' ? objectAt(object, 'spec', 'selector') : objectAt(object, 'spec', 'selector', 'matchLabels');
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`);
  return pairs.length === 0 ? undefined : pairs.join(',');
}

async function eventsOf(
  client: ObjectClient,
  object: JsonObject,
  signal?: AbortSignal,
): Promise<readonly JsonObject[]> {
  const namespace = text(object, 'metadata', 'namespace') || 'default';
  const fieldSelector = `involvedObject.uid=${text(object, 'metadata', 'uid')}`;
  return byTime(await client.list({ apiVersion: 'v1', plural: 'events', namespace }, { fieldSelector }, signal));
}

/** The last event about the object itself: for those without Pods, or whose Pods are refused (quota, admission). */
async function ownEvent(client: ObjectClient, object: JsonObject, signal?: AbortSignal): Promise<string> {
  const owned = await ownedReplicaSet(client, object, signal);
  const events = [...(await eventsOf(client, object, signal)), ...(owned ? await eventsOf(client, owned, signal) : [])];
  const last = byTime(events.filter((event) => event.type === 'Warning')).at(-1) ?? events.at(-1);
  return last === undefined ? '' : `last event: ${text(last, 'reason')}: ${text(last, 'message')}`;
}

async function ownedReplicaSet(
  client: ObjectClient,
  object: JsonObject,
  signal?: AbortSignal,
): Promise<JsonObject | undefined> {
  if (text(object, 'kind') !== 'Deployment') return undefined;
  const namespace = text(object, 'metadata', 'namespace');
  const labelSelector = podSelector(object) ?? '';
  const sets = await client.list(
    { apiVersion: 'apps/v1', plural: 'replicasets', namespace },
    { labelSelector },
    signal,
  );
  return [...sets].sort((a, b) => born(a) - born(b)).at(-1);
}
