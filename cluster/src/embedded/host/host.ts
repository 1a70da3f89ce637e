import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, watchFile } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findByArgument, isAlive, type ProcessIdentity, self, tryReadJson, writeAtomic } from '@delos/host';
import { setForwarding } from '../forwarding.ts';
import { ensureCgroup, removeCgroup } from '../node/cgroups.ts';
import { rotate } from '../node/rotate.ts';
import { layoutOf, nodeSpec, specHash } from '../spec.ts';
import { addressesOf } from './addresses.ts';
import { relayDns } from './dns-relay.ts';
import { forwards, listen } from './forward.ts';
import { ensureLink, ensureNodeEnd, ensureRoute, ensureTable, hasLink, hasTable } from './host-network.ts';
import { cgroupOf, nodeMarker, tryFindInit } from './marks.ts';
import { findResolvers } from './resolvers.ts';

/*
 * What an instance needs in the machine's own namespaces: it starts the node when there is none, adopts the one there
 * is, keeps the veth pair, the nft table and the loopback forwards. Killed at any instant, it is started again (by
 * host-init.sh or the next `up`) and does what is missing. It never ends the node; `down` does.
 */
const state = process.argv[2];
if (state === undefined) throw new Error('usage: host.ts STATE');
const layout = layoutOf(state);
const spec = nodeSpec.parse(JSON.parse(readFileSync(layout.spec, 'utf8')));
const addresses = addressesOf(spec.number);
const servers = new Map<number, { node: number; server: Server | undefined; error: string }>();
let init: ProcessIdentity | undefined;
let message = '';
let written = '';

function warn(text: string): void {
  console.error(`${new Date().toISOString()} ${text}`);
}

function publish(): void {
  const status = {
    process: self(),
    specHash: specHash(spec),
    init,
    message,
    forwards: [...servers].map(([host, { node, server, error }]) => ({
      host,
      node,
      open: server !== undefined,
      error,
    })),
  };
  const text = JSON.stringify(status, null, 1);
  if (text === written) return;
  try {
    writeAtomic(layout.hostStatus, text);
    written = text;
  } catch (error) {
    // A full disk is no reason to end: the next round tries again.
    warn(`status not written: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function startNode(): void {
  for (const folder of ['kubelet', 'containerd', 'cni', 'volumes', 'nodeLog', 'logs', 'scratch'] as const) {
    mkdirSync(layout[folder], { recursive: true, mode: folder === 'volumes' ? 0o711 : 0o700 });
  }
  const log = openSync(join(layout.logs, 'node.log'), 'a', 0o600);
  const child = spawn(
    'unshare',
    [
      ...['--net', '--mount', '--pid', '--fork', '--mount-proc', '--propagation', 'private'],
      ...[
        'sh',
        join(import.meta.dirname, '../node-init.sh'),
        nodeMarker(spec.state),
        spec.state,
        spec.tools.node,
        join(import.meta.dirname, '../node/node.ts'),
      ],
      ...[addresses.podGateway, addresses.podCidr],
      ...[spec.tools.cniPlugins, ...(spec.tools.cniGate === null ? [] : [spec.tools.cniGate])],
    ],
    { stdio: ['ignore', log, log], detached: true, cwd: '/' },
  );
  child.on('error', (error) => warn(`the node does not start: ${error.message}`));
  child.unref();
  closeSync(log);
}

async function ensureNode(): Promise<void> {
  init = tryFindInit(spec.state);
  // A node that is about to fork its first process is not started a second time.
  if (init === undefined && findByArgument(nodeMarker(spec.state)).length === 0) {
    // The kubelet loses seconds on each container group whose processes are gone.
    removeCgroup(cgroupOf(spec.instance));
    ensureCgroup(cgroupOf(spec.instance));
    // The last words of an earlier node are not true of this one.
    rmSync(layout.nodeStatus, { force: true });
    startNode();
  }
  if (init === undefined) {
    const limit = performance.now() + 10_000;
    while (init === undefined && performance.now() < limit) {
      await sleep(20);
      init = tryFindInit(spec.state);
    }
    if (init === undefined) throw new Error(`the node did not start within 10 s: see ${layout.logs}/node.log`);
  }
  await ensureLink(addresses, init.pid, spec.mtu, spec.state);
  await ensureNodeEnd(addresses, init.pid);
}

let reconciling: Promise<void> = Promise.resolve();
/** One after the other: two at once would find each other's port taken. */
function reconcileForwards(): Promise<void> {
  reconciling = reconciling.then(openForwards, openForwards);
  return reconciling;
}

async function openForwards(): Promise<void> {
  const wanted = tryReadJson(layout.forwards, forwards)?.ports ?? [];
  for (const [host, entry] of servers) {
    if (!wanted.some((port) => port.host === host && port.node === entry.node)) {
      entry.server?.close();
      servers.delete(host);
    }
  }
  for (const { host, node } of wanted) {
    if (servers.get(host)?.server !== undefined) continue;
    try {
      servers.set(host, { node, server: await listen(host, { host: addresses.nodeIp, port: node }), error: '' });
    } catch (error) {
      servers.set(host, { node, server: undefined, error: error instanceof Error ? error.message : String(error) });
    }
  }
  publish();
}

const relays = new Map<number, Server>();
/** Proxies on the machine's loopback, for the node. */
async function openRelays(): Promise<void> {
  for (const target of spec.relays) {
    if (!relays.has(target.port)) relays.set(target.port, await listen(target.port, target, addresses.hostIp));
  }
}

watchFile(layout.forwards, { interval: 100 }, () => void reconcileForwards());
const resolver = findResolvers(addresses.hostIp).relayTo;
let relaying = false;
for (let round = 0; ; round++) {
  try {
    // The first round replaces what an earlier release or another resolver has left.
    if (round === 0 || (round % 10 === 0 && !(await hasTable(addresses.table)))) {
      await ensureTable(addresses, spec.resolvers);
    }
    if (round % 10 === 0) for (const log of ['host.log', 'node.log']) rotate(join(layout.logs, log));
    setForwarding('1');
    if (!isAlive(init) || !hasLink(addresses)) await ensureNode();
    else if (round % 10 === 0) await ensureRoute(addresses);
    message = '';
    if (resolver !== undefined && !relaying) {
      relaying = true;
      relayDns(addresses.hostIp, resolver, warn);
    }
    await openRelays();
    await reconcileForwards();
  } catch (error) {
    message = error instanceof Error ? error.message : String(error);
    warn(message);
    publish();
  }
  await sleep(1000);
}
