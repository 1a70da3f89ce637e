import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { DelosError, type InstancePaths, type Progress } from '@delos/core';
import { findByArgument, kill, processesIn, tryPidNamespace, waitUntil, withMutex } from '@delos/host';
import { loopsOf, releaseLoops } from '../disks/index.ts';
import { forwardingToRestore, setForwarding } from './forwarding.ts';
import { MOST_NODES } from './host/addresses.ts';
import { aliasOf, listLinks, listRoutes, removeLink } from './host/host-network.ts';
import { type InventoryItem, readInventory, strike } from './host/inventory.ts';
import { hostMarker } from './host/marks.ts';
import { hasTable, removeTable } from './host/tables.ts';
import { listCgroup, removeCgroup } from './node/cgroups.ts';
import { layoutOf } from './spec.ts';

const LIMIT = 30_000;

/**
 * Walks the inventory backwards, takes each item off once it is seen to be gone, and lists everything again at the end.
 * Where it was killed, the next call goes on.
 * @throws DelosError ERR_TIMEOUT naming what is left
 */
export async function takeDown(
  paths: InstancePaths,
  options: { readonly deleteData: boolean },
  progress: Progress,
): Promise<void> {
  const layout = layoutOf(paths.state);
  // `host` would start again what ends before it.
  const isHost = (item: InventoryItem): boolean => item.kind === 'processes' && item.marker === hostMarker(paths.state);
  const items = [...readInventory(layout.inventory)].reverse();
  await removeItems(paths, [...items.filter(isHost), ...items.filter((item) => !isHost(item))], progress);
  for (let index = 1; index <= MOST_NODES; index++) {
    const { nodeStatus, scratch } = layoutOf(paths.state, index);
    for (const path of [nodeStatus, scratch]) rmSync(path, { recursive: true, force: true });
  }
  for (const path of [layout.hostStatus, layout.wanted]) rmSync(path, { force: true });
  // Mounts of the node lived in its own namespace: these are plain folders now.
  if (options.deleteData) {
    rmSync(layout.cluster, { recursive: true, force: true });
    rmSync(layout.logs, { recursive: true, force: true });
  }
  rmSync(layout.inventory, { force: true });
  for (const folder of [layout.run, paths.state]) removeIfEmpty(folder);
}

/** Takes each off the inventory once it is seen to be gone. @throws DelosError ERR_TIMEOUT naming what is left */
export async function removeItems(
  paths: Pick<InstancePaths, 'state'>,
  items: readonly InventoryItem[],
  progress: Progress,
): Promise<void> {
  for (const item of items) {
    progress.step(`removing ${describe(item)}`);
    await remove(item, paths.state);
    strike(layoutOf(paths.state).inventory, item);
  }
}

function removeIfEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}

/** What is left of an item on the machine. */
export async function remains(item: InventoryItem): Promise<readonly string[]> {
  switch (item.kind) {
    case 'processes':
      return findByArgument(item.marker).map((each) => `process ${each.pid}`);
    case 'link': {
      const links = (await listLinks()).filter((link) => link.name === item.name).map((link) => `link ${link.name}`);
      const routes = (await listRoutes()).filter((route) => route.dev === item.name);
      return [...links, ...routes.map((route) => `route ${route.network}`)];
    }
    case 'table':
      return (await hasTable(item.name)) ? [`nft table ip ${item.name}`] : [];
    case 'cgroup':
      return listCgroup(item.path);
    case 'loops':
      return loopsOf(item.folder);
    case 'sysctl':
      return [];
  }
}

async function remove(item: InventoryItem, state: string): Promise<void> {
  if (item.kind === 'sysctl') return restore(item, state);
  let left: readonly string[] = [];
  const gone = await waitUntil(async () => {
    await removeOnce(item);
    left = await remains(item);
    return left.length === 0;
  }, LIMIT);
  if (gone) return;
  throw new DelosError('ERR_TIMEOUT', `${left.slice(0, 3).join(', ')} is still there after ${LIMIT / 1000} s`, {
    hint: 'run the same command again; it goes on from there',
    data: { left },
  });
}

async function removeOnce(item: Exclude<InventoryItem, { kind: 'sysctl' }>): Promise<void> {
  switch (item.kind) {
    case 'processes': {
      // Namespaces first: the end of a namespace's first process ends all others in it.
      const own = tryPidNamespace(process.pid);
      const roots = findByArgument(item.marker);
      const namespaces = new Set(roots.map((root) => tryPidNamespace(root.pid)).filter((each) => each !== own));
      for (const root of roots) kill(root);
      await waitUntil(
        () => [...namespaces].every((each) => each === undefined || processesIn(each).length === 0),
        5000,
      );
      return;
    }
    case 'link':
      return removeLink(item.name);
    case 'table':
      return removeTable(item.name);
    case 'cgroup':
      return removeCgroup(item.path);
    case 'loops':
      return releaseLoops(item.folder);
  }
}

/** The machine's setting goes back with the last instance that lives on it, whichever that is. */
function restore(item: Extract<InventoryItem, { kind: 'sysctl' }>, state: string): Promise<void> {
  return withMutex('ip-forward', async () => {
    const others = (await listLinks()).some(
      (link) => link.alias?.startsWith('delos ') && link.alias !== aliasOf(state),
    );
    const before = forwardingToRestore(item.before, others);
    if (before !== undefined) setForwarding(before);
  });
}

function describe(item: InventoryItem): string {
  switch (item.kind) {
    case 'processes':
      return `processes of ${item.marker}`;
    case 'link':
      return `interface ${item.name}`;
    case 'table':
      return `nft table ${item.name}`;
    case 'cgroup':
      return `cgroup ${item.path}`;
    case 'loops':
      return 'loop devices of disks';
    case 'sysctl':
      return `change of ${item.name}`;
  }
}
