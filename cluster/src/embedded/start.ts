import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DelosError, type Progress } from '@delos/core';
import { findByArgument, kill, waitUntil, withMutex, writeIfChanged } from '@delos/host';
import { noteForwarding, readForwarding } from './forwarding.ts';
import { type Addresses, addressesOf, nodeName } from './host/addresses.ts';
import { type InventoryItem, record } from './host/inventory.ts';
import { cgroupOf, hostMarker, nodeMarker } from './host/marks.ts';
import { certificatesOf, nodeCertificatesOf } from './node/certificates.ts';
import { writeEtc } from './node/etc.ts';
import { ensurePki } from './node/pki.ts';
import { layoutOf, type NodeSpec, specHash } from './spec.ts';
import { tryReadHostStatus, tryReadNodeStatus } from './status.ts';

/** What one node has on the machine, in the order in which it is made. */
export function nodeItems({ instance, state }: Pick<NodeSpec, 'instance' | 'state'>, of: Addresses): InventoryItem[] {
  return [
    { kind: 'loops', folder: layoutOf(state, of.index).disks },
    { kind: 'cgroup', path: cgroupOf(instance, of.index) },
    { kind: 'link', name: of.link },
    { kind: 'processes', marker: nodeMarker(state, of.index) },
  ];
}

/** Writes the settings of all nodes, and starts or restarts whatever runs with others. Nodes that go on are not touched. */
export async function startNodes(specs: readonly NodeSpec[], progress: Progress): Promise<void> {
  const [first] = specs;
  if (first === undefined) return;
  const layout = layoutOf(first.state);
  const addresses = addressesOf(first.number);
  const all = specs.map(({ number, index }) => addressesOf(number, index));
  const shared = certificatesOf(addresses);
  const own = all.map((each) => nodeCertificatesOf(each).map(({ name }) => name));
  const renewed = await ensurePki(layout.pki, [...shared, ...all.slice(1).flatMap(nodeCertificatesOf)]);
  const ofAll = renewed.some((name) => !own.flat().includes(name));
  const before = await withMutex('ip-forward', async () => noteForwarding(readForwarding()));
  const [loops, ...rest] = nodeItems(first, addresses);
  record(layout.inventory, [
    ...(loops === undefined ? [] : [loops]),
    { kind: 'sysctl', name: 'net.ipv4.ip_forward', before },
    { kind: 'table', family: 'ip', name: addresses.table },
    ...rest,
    ...all.slice(1).flatMap((each) => nodeItems(first, each)),
    { kind: 'processes', marker: hostMarker(first.state) },
  ]);
  for (const spec of specs) writeEtc(spec);
  rmSync(layout.wanted, { force: true });
  // Last: `host` starts a node when it sees this.
  for (const spec of specs) writeIfChanged(layoutOf(spec.state, spec.index).spec, JSON.stringify(spec, null, 1));

  const host = tryReadHostStatus(layout);
  const restarted = specs.filter((spec, at) => {
    const status = tryReadNodeStatus(layoutOf(spec.state, spec.index));
    const changed =
      ofAll ||
      renewed.some((name) => own[at]?.includes(name)) ||
      (status !== undefined && status.specHash !== specHash(spec));
    return changed && findByArgument(nodeMarker(spec.state, spec.index)).length > 0;
  });
  const oldHost = host !== undefined && (host.specHash !== specHash(first) || host.members === undefined);
  if (restarted.length > 0) {
    const names = restarted.map(({ index }) => (specs.length === 1 ? 'the node' : nodeName(index)));
    progress.step(`${names.join(', ')}: restarted, because the settings have changed`);
  }
  if (restarted.length > 0 || oldHost) {
    const marks = restarted.map(({ state, index }) => nodeMarker(state, index));
    await endProcesses([hostMarker(first.state), ...marks]);
  }
  if (findByArgument(hostMarker(first.state)).length === 0) spawnHost(first, layout.logs);
}

function spawnHost(spec: NodeSpec, logs: string): void {
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  const log = openSync(join(logs, 'host.log'), 'a', 0o600);
  const child = spawn(
    'sh',
    [
      join(import.meta.dirname, 'host-init.sh'),
      hostMarker(spec.state),
      process.execPath,
      join(import.meta.dirname, 'host/host.ts'),
      spec.state,
    ],
    { detached: true, stdio: ['ignore', log, log], cwd: '/' },
  );
  child.unref();
  closeSync(log);
}

/** SIGKILL until none is left. @throws DelosError ERR_CLUSTER_START */
export async function endProcesses(markers: readonly string[]): Promise<void> {
  const all = () => markers.flatMap((marker) => findByArgument(marker));
  const gone = await waitUntil(() => {
    for (const identity of all()) kill(identity);
    return all().length === 0;
  }, 20_000);
  if (!gone)
    throw new DelosError(
      'ERR_CLUSTER_START',
      `processes do not end: ${all()
        .map((each) => each.pid)
        .join(', ')}`,
    );
}
