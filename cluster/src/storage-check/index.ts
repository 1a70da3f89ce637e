import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClassData, Device, SecurityProfile } from '@delos/core';
import { isObject, KubeClient, libraryAccess, listAt, text } from '@delos/kube';
import { type Check, check } from '../preflight/check.ts';
import { classBook } from './classes.ts';
import { startCleaner } from './cleaner.ts';
import { DEVICE_SCRIPT, type DeviceFacts, factsFrom, judgeDevice, localFacts } from './device-facts.ts';
import { denial, deviceNamespaceOf, devicePod, namespaceObject, namespaceOf, type Run } from './objects.ts';
import { sweepOld } from './sweep.ts';
import { checkVolume } from './volume-check.ts';
import type { WantedStorage } from './wanted.ts';
import { readyNodes } from './watch.ts';

export type { WantedStorage, WantedVolume } from './wanted.ts';

/** How storage is checked. */
export interface StorageCheckOptions {
  readonly cluster: { readonly kubeconfig: string; readonly context: string };
  /** Reference of an image that has /bin/busybox, as nodes pull it. */
  readonly image: string;
  /** All nodes are on this machine, so that their devices are its own. */
  readonly onThisMachine: boolean;
  readonly signal: AbortSignal;
  /** Milliseconds that one step may take. @default 2 minutes */
  readonly limitMs?: number;
}

const LIMIT_MS = 120_000;

/**
 * Really makes a volume of each kind that a platform will ask for, uses it, and takes it away again; looks at devices. Whatever ends
 * this process, what it has made goes.
 * @throws KubeError, or the connection's error, where the API server does not do what a check needs
 */
export async function storageChecks(wanted: WantedStorage, options: StorageCheckOptions): Promise<readonly Check[]> {
  const { cluster, image, signal, limitMs = LIMIT_MS } = options;
  const client = new KubeClient(await libraryAccess(cluster), { fieldManager: 'delos', attempts: 3 });
  const run: Run = { id: randomBytes(4).toString('hex'), image };
  const devices = wanted.made.flatMap((data) => data.devices.map((device) => ({ device, data })));
  const cleaner = startCleaner(cluster, run.id);
  let checks: readonly Check[] = [];
  let left: readonly string[] = [];
  try {
    await sweepOld(client, Date.now());
    await makeNamespace(client, run, namespaceOf(run), 'restricted');
    const at = {
      run,
      classes: await classBook(client, run, wanted.made),
      waiting: { client, namespace: namespaceOf(run), limitMs, signal },
      nodes: await readyNodes(client),
    };
    checks = await allOf([
      ...wanted.volumes.map((volume) => checkVolume(volume, at).then((found) => [found])),
      deviceChecks(client, run, devices, { ...options, limitMs }),
    ]);
  } finally {
    left = await cleaner.clean();
    client.close();
  }
  if (left.length === 0) return checks;
  return [
    ...checks,
    check('storage.cleanup', false, {
      fatal: false,
      measured: `still there: ${left.join(', ')}`,
      needed: 'nothing of the check stays',
      fix: 'see what keeps it: kubectl describe; a later check takes it away as well',
    }),
  ];
}

/** Waits for all before one that failed is told: what is made after the end would stay. */
async function allOf(running: readonly Promise<readonly Check[]>[]): Promise<readonly Check[]> {
  await Promise.allSettled(running);
  return (await Promise.all(running)).flat();
}

async function makeNamespace(client: KubeClient, run: Run, name: string, level: SecurityProfile) {
  await client.apply(`/api/v1/namespaces/${name}`, namespaceObject(run, name, level));
  const policies = `/apis/networking.k8s.io/v1/namespaces/${name}/networkpolicies`;
  await client.apply(`${policies}/default-deny`, denial(run, name));
}

async function deviceChecks(
  client: KubeClient,
  run: Run,
  devices: readonly { readonly device: Device; readonly data: ClassData }[],
  { onThisMachine, signal, limitMs }: StorageCheckOptions & { readonly limitMs: number },
): Promise<readonly Check[]> {
  if (devices.length === 0) return [];
  const nodes = listAt(await client.get('/api/v1/nodes'), 'items').map((node) => text(node, 'metadata', 'name'));
  if (!onThisMachine) await makeNamespace(client, run, deviceNamespaceOf(run), 'privileged');
  return Promise.all(
    devices.map(async ({ device, data }, index) => {
      const facts: DeviceFacts = !nodes.includes(device.node)
        ? { there: false, why: `there is no node ${device.node} (there are: ${nodes.join(', ')})` }
        : onThisMachine
          ? localFacts(device.path)
          : await remoteFacts(client, run, `device-${index + 1}`, device, { signal, limitMs });
      return judgeDevice(device, data, facts);
    }),
  );
}

async function remoteFacts(
  client: KubeClient,
  run: Run,
  name: string,
  { node, path }: Device,
  { signal, limitMs }: { readonly signal: AbortSignal; readonly limitMs: number },
): Promise<DeviceFacts> {
  const pod = `/api/v1/namespaces/${deviceNamespaceOf(run)}/pods/${name}`;
  await client.apply(pod, devicePod(run, name, node, DEVICE_SCRIPT, path));
  const end = Date.now() + limitMs;
  for (;;) {
    signal.throwIfAborted();
    const found = await client.tryGet(pod);
    if (['Succeeded', 'Failed'].includes(text(found, 'status', 'phase'))) {
      const state = listAt(found, 'status', 'containerStatuses').filter(isObject)[0];
      return factsFrom(text(state, 'state', 'terminated', 'message'));
    }
    if (Date.now() > end) return { there: false, why: `the Pod that looks at it does not run on ${node}` };
    await sleep(300);
  }
}
