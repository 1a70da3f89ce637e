import { rmSync } from 'node:fs';
import { DelosError, type InstancePaths, type Progress } from '@delos/core';
import { tryCommand, waitUntil } from '@delos/host';
import { isNotFound, type KubeClient } from '@delos/kube';
import { z } from 'zod';
import { liesOn, nodeAffinity } from '../disks/index.ts';
import { openApi } from './api.ts';
import { removeItems } from './down.ts';
import { addressesOf, MOST_NODES, nodeName } from './host/addresses.ts';
import { readInventory } from './host/inventory.ts';
import { nodeMarker } from './host/marks.ts';
import { change, readWanted, writeWanted } from './host/wanted.ts';
import { furtherIndexes, layoutOf, type NodeSpec } from './spec.ts';
import { endProcesses, nodeItems } from './start.ts';
import { tryReadHostStatus } from './status.ts';

const DRAIN_S = 180;
const VOLUMES_MS = 90_000;
const TAKEN_OVER_MS = 20_000;
const VOLUMES = '/api/v1/persistentvolumes';

const volume = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    claimRef: z.object({ namespace: z.string().default(''), name: z.string().default('') }).optional(),
    nodeAffinity,
  }),
});
const volumes = z.object({ items: z.array(volume) });
type Volume = z.infer<typeof volume>;

const node = z.object({
  status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]) }),
});

/** Nodes beyond the last one that is asked for: those with a folder, and those that an earlier removal has not done with. */
export function surplusOf(paths: Pick<InstancePaths, 'state'>, spec: NodeSpec, last: number): readonly number[] {
  const folders = furtherIndexes(layoutOf(paths.state).nodes);
  const made = new Set(readInventory(layoutOf(paths.state).inventory).map((item) => JSON.stringify(item)));
  return Array.from({ length: MOST_NODES - last }, (_, at) => MOST_NODES - at).filter(
    (index) => folders.includes(index) || itemsOf(spec, index).some((item) => made.has(JSON.stringify(item))),
  );
}

const itemsOf = (spec: NodeSpec, index: number) => nodeItems(spec, addressesOf(spec.number, index));

/**
 * Drains nodes and takes them away with all that they have on the machine. The first node's API server has to serve.
 *
 * @param loseVolumes else a node that holds volumes is not taken away, nor is any other
 * @throws DelosError ERR_CONFLICT naming the claims of such volumes; ERR_TIMEOUT
 */
export async function removeNodes(
  paths: InstancePaths,
  spec: NodeSpec,
  indexes: readonly number[],
  loseVolumes: boolean,
  progress: Progress,
): Promise<void> {
  const api = openApi(spec, 'admin');
  try {
    if (!loseVolumes) await refuseVolumes(api, indexes);
    for (const index of indexes) {
      progress.step(`${nodeName(index)}: its Pods leave it`);
      await drain(api, spec, index);
      if (loseVolumes) await loseVolumesOf(api, index);
      await forget(paths, spec, index, progress);
      await api.delete(`/api/v1/nodes/${nodeName(index)}`).catch(ignoreMissing);
    }
  } finally {
    api.close();
  }
}

async function volumesOf(api: KubeClient, index: number): Promise<readonly Volume[]> {
  const { items } = volumes.parse(await api.get(VOLUMES));
  return items.filter(({ spec }) => liesOn(spec.nodeAffinity, nodeName(index)));
}

async function refuseVolumes(api: KubeClient, indexes: readonly number[]): Promise<void> {
  for (const index of indexes) {
    const found = await volumesOf(api, index);
    if (found.length === 0) continue;
    const claims = found.map(({ metadata, spec }) =>
      spec.claimRef === undefined ? metadata.name : `${spec.claimRef.namespace}/${spec.claimRef.name}`,
    );
    const more = claims.length > 5 ? `, and ${claims.length - 5} more` : '';
    throw new DelosError(
      'ERR_CONFLICT',
      `${nodeName(index)} holds volumes that would be lost with it: ${claims.slice(0, 5).join(', ')}${more}`,
      {
        hint: 'delete these claims (disks: apolo disk rm), or say that they may go: add --delete-data to the same command',
        data: { claims },
      },
    );
  }
}

async function isReady(api: KubeClient, index: number): Promise<boolean> {
  const found = await api.tryGet(`/api/v1/nodes/${nodeName(index)}`);
  if (found === undefined) return false;
  return node.parse(found).status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** Pods of a node that does not answer go with the Node object. */
async function drain(api: KubeClient, spec: NodeSpec, index: number): Promise<void> {
  if (!(await isReady(api, index))) return;
  const { adminKubeconfig } = layoutOf(spec.state);
  const options = ['--ignore-daemonsets', '--delete-emptydir-data', '--force', `--timeout=${DRAIN_S}s`];
  const { code, stderr } = await tryCommand(
    spec.tools.kube,
    ['kubectl', '--kubeconfig', adminKubeconfig, 'drain', nodeName(index), ...options],
    { timeout: (DRAIN_S + 20) * 1000 },
  );
  if (code === 0) return;
  throw new DelosError('ERR_TIMEOUT', `${nodeName(index)} is not drained: ${stderr.trim().split('\n').at(-1) ?? ''}`, {
    hint: `see what still runs there: delos kubectl get pods -A --field-selector spec.nodeName=${nodeName(index)}; then run the same command again`,
  });
}

/** The claims go first: so those who made the volumes take them away, as long as the node is there. */
async function loseVolumesOf(api: KubeClient, index: number): Promise<void> {
  for (const { spec } of await volumesOf(api, index)) {
    const { namespace = '', name = '' } = spec.claimRef ?? {};
    if (name === '') continue;
    await api.delete(`/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}`).catch(ignoreMissing);
  }
  if (await isReady(api, index)) {
    await waitUntil(async () => (await volumesOf(api, index)).length === 0, VOLUMES_MS, 500);
  }
  for (const { metadata } of await volumesOf(api, index)) {
    const path = `${VOLUMES}/${metadata.name}`;
    await api.delete(path).catch(ignoreMissing);
    await api.patch(path, { metadata: { finalizers: null } }).catch(ignoreMissing);
  }
}

/** Ends its processes, and removes its folder and what it had on the machine. */
async function forget(paths: InstancePaths, spec: NodeSpec, index: number, progress: Progress): Promise<void> {
  const layout = layoutOf(paths.state, index);
  writeWanted(layout.wanted, change(readWanted(layout.wanted), 'stopped', index, true));
  const known = () => tryReadHostStatus(layout)?.wanted?.stopped.includes(index) === true;
  if (!(await waitUntil(known, TAKEN_OVER_MS))) {
    throw new DelosError('ERR_TIMEOUT', `the host process has not let go of ${nodeName(index)}`, {
      hint: `run the same command again; see ${layout.logs}/host.log`,
    });
  }
  await endProcesses([nodeMarker(paths.state, index)]);
  // From now on `host` does not know it.
  rmSync(layout.spec, { force: true });
  await waitUntil(
    () => tryReadHostStatus(layout)?.members?.every((each) => each.index !== index) !== false,
    TAKEN_OVER_MS,
  );
  const made = new Set(readInventory(layout.inventory).map((item) => JSON.stringify(item)));
  const items = itemsOf(spec, index).filter((item) => made.has(JSON.stringify(item)));
  await removeItems(paths, items.reverse(), progress);
  for (const path of [layout.home, layout.logs, layout.nodeStatus, layout.scratch]) {
    rmSync(path, { recursive: true, force: true });
  }
  writeWanted(layout.wanted, change(readWanted(layout.wanted), 'stopped', index, false));
}

function ignoreMissing(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
