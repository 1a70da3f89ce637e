import { createHash } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { addonsOf } from '../addons/index.ts';
import type { Api } from '../api.ts';
import { addressesOf, CLUSTER_DOMAIN, NODE_NAME } from '../host/addresses.ts';
import type { NodeSpec } from '../spec.ts';

const MARK = '/api/v1/namespaces/kube-system/configmaps/delos-addons';
const markSchema = z.object({ data: z.object({ hash: z.string() }) });

/**
 * Applies the add-ons once the API server serves, and again when the spec asks for others. What was applied is marked
 * in the cluster, so that a restart changes nothing. Runs until the process ends.
 *
 * @param report `ready` once all are applied, else what it waits for
 */
export async function addAddons(
  spec: () => NodeSpec,
  api: Api,
  serving: () => boolean,
  report: (text: string) => void,
): Promise<never> {
  let done = '';
  for (;;) {
    if (serving()) {
      try {
        const addons = addonsOf(spec());
        const hash = createHash('sha256').update(JSON.stringify(addons)).digest('hex').slice(0, 16);
        if (hash !== done && hash !== (await appliedHash(api))) {
          report('applying');
          for (const each of addons) await api.apply(each.path, each.object);
          await api.apply(MARK, {
            apiVersion: 'v1',
            kind: 'ConfigMap',
            metadata: { name: 'delos-addons', namespace: 'kube-system' },
            data: { hash },
          });
        }
        done = hash;
        report('ready');
      } catch (error) {
        report(error instanceof Error ? error.message : String(error));
      }
    }
    await sleep(done === '' ? 100 : 2000);
  }
}

async function appliedHash(api: Api): Promise<string | undefined> {
  const response = await api.request('GET', MARK);
  if (response.status !== 200) return undefined;
  return markSchema.safeParse(JSON.parse(response.body)).data?.data.hash;
}

/**
 * Asks cluster DNS a question, as a Pod would: by the Service's address. What the API says of CoreDNS may be from before
 * a crash. Runs until the process ends.
 */
export async function watchDns(spec: () => NodeSpec, report: (text: string) => void): Promise<never> {
  for (;;) {
    const resolver = new Resolver({ timeout: 1000, tries: 1 });
    resolver.setServers([addressesOf(spec().number).dnsIp]);
    const failure = await resolver.resolve4(`kubernetes.default.svc.${CLUSTER_DOMAIN}`).then(
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

/** Names of the fake resources that the Node was given, so that those no longer asked for are taken back. */
const GIVEN = 'delos.dev/fake-resources';

/** Keeps the Node's labels and fake resources as the spec says; the kubelet forgets the latter when it starts anew. */
export async function keepNode(spec: () => NodeSpec, api: Api, serving: () => boolean): Promise<never> {
  let calm = false;
  for (;;) {
    try {
      calm = serving() && (await keepOnce(spec(), api));
    } catch {
      // The API server's own state tells what is wrong.
      calm = false;
    }
    await sleep(calm ? 3000 : 200);
  }
}

/** True when the Node is there and as it should be. */
async function keepOnce(spec: NodeSpec, api: Api): Promise<boolean> {
  const path = `/api/v1/nodes/${NODE_NAME}`;
  const response = await api.request('GET', path);
  if (response.status !== 200) return false;
  const node = nodeSchema.parse(JSON.parse(response.body));
  const labels = differing(spec.labels, node.metadata.labels);
  // A pool that the configuration no longer names leaves no label behind.
  for (const key of Object.keys(node.metadata.labels)) {
    if (key.startsWith('delos.dev/') && !(key in spec.labels)) labels[key] = null;
  }
  const wanted = Object.fromEntries(Object.entries(spec.fakeResources).map(([name, count]) => [name, String(count)]));
  const before = node.metadata.annotations[GIVEN] ?? '';
  const names = Object.keys(wanted).sort().join(' ');
  const dropped = before.split(' ').filter((name) => name !== '' && !(name in wanted));
  const capacity = differing(wanted, node.status.capacity, dropped);
  const allocatable = differing(wanted, node.status.allocatable, dropped);
  const merge = 'application/merge-patch+json';
  if (Object.keys(capacity).length + Object.keys(allocatable).length > 0) {
    await api.json('PATCH', `${path}/status`, { status: { capacity, allocatable } }, merge);
  }
  if (Object.keys(labels).length > 0 || before !== names) {
    await api.json('PATCH', path, { metadata: { labels, annotations: { [GIVEN]: names } } }, merge);
  }
  return true;
}

/** A merge patch: what is to be set, and null for what is to go. */
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
