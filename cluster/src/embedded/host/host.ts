import { readFileSync, watchFile } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { self, tryReadJson, writeAtomic } from '@delos/host';
import { setForwarding } from '../forwarding.ts';
import { rotate } from '../node/rotate.ts';
import { layoutOf, nodeSpec, readMembers, specHash } from '../spec.ts';
import { addressesOf } from './addresses.ts';
import { relayDns } from './dns-relay.ts';
import { forwards, listen } from './forward.ts';
import { Member } from './member.ts';
import { findResolvers } from './resolvers.ts';
import { ensureTable, hasTable } from './tables.ts';
import { NOTHING_WANTED, readWanted, type WantedNodes } from './wanted.ts';

/*
 * What an instance needs in the machine's own namespaces: it starts nodes that are not there, adopts those that are,
 * keeps their veth pairs, the nft table and the loopback forwards. Killed at any instant, it is started again (by
 * host-init.sh or the next `up`) and does what is missing. It never ends a node; `down` and `node stop` do.
 */
const state = process.argv[2];
if (state === undefined) throw new Error('usage: host.ts STATE');
const layout = layoutOf(state);
const spec = nodeSpec.parse(JSON.parse(readFileSync(layout.spec, 'utf8')));
const addresses = addressesOf(spec.number);
const servers = new Map<number, { node: number; server: Server | undefined; error: string }>();
const members = new Map<number, Member>();
/** What was asked of nodes, and is done. */
let wanted: WantedNodes = NOTHING_WANTED;
/** Of the table as it was written last: nodes and those that are cut off. */
let tabled = '';
let message = '';
let written = '';

function warn(text: string): void {
  console.error(`${new Date().toISOString()} ${text}`);
}

function publish(): void {
  const status = {
    process: self(),
    specHash: specHash(spec),
    init: members.get(1)?.init,
    message,
    members: [...members.values()].map(({ index, init, message }) => ({ index, init, message })),
    wanted,
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

/** Takes over which nodes there are, and what is asked of them. */
async function keepTable(again: boolean): Promise<void> {
  const there = readMembers({ state: spec.state });
  for (const each of there) {
    const member = members.get(each.index) ?? new Member(each);
    member.spec = each;
    members.set(each.index, member);
  }
  for (const index of members.keys()) if (!there.some((each) => each.index === index)) members.delete(index);
  const asked = readWanted(layout.wanted);
  const key = JSON.stringify([[...members.keys()], asked.cut]);
  // The first time replaces what an earlier release or another resolver has left.
  if (key !== tabled || (again && !(await hasTable(addresses.table)))) {
    const nodes = [...members.values()].map((each) => each.addresses);
    await ensureTable(nodes, spec.resolvers, asked.cut);
    tabled = key;
  }
  wanted = asked;
}

/** Each by itself: one that does not start keeps no other from it. */
async function keepMembers(again: boolean): Promise<void> {
  const nodes = [...members.values()].map((each) => each.addresses);
  await Promise.all(
    [...members.values()].map(async (member) => {
      try {
        member.message = '';
        if (!wanted.stopped.includes(member.index)) await member.keep(nodes, again);
      } catch (error) {
        member.message = error instanceof Error ? error.message : String(error);
        warn(`${member.addresses.nodeName}: ${member.message}`);
      }
    }),
  );
}

/** Where a connection to a node port goes: to the first node that runs and can be reached. */
function entrance(): string {
  const usable = [...members.values()].filter(
    ({ index, runs }) => runs && !wanted.stopped.includes(index) && !wanted.cut.includes(index),
  );
  return (usable[0]?.addresses ?? addresses).nodeIp;
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
      servers.set(host, { node, server: await listen(host, () => ({ host: entrance(), port: node })), error: '' });
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
    if (!relays.has(target.port)) relays.set(target.port, await listen(target.port, () => target, addresses.hostIp));
  }
}

watchFile(layout.forwards, { interval: 100 }, () => void reconcileForwards());
const resolver = findResolvers(addresses.hostIp).relayTo;
let relaying = false;
for (let round = 0; ; round++) {
  const again = round % 10 === 0;
  try {
    if (again) for (const log of ['host.log', 'node.log']) rotate(join(layout.logs, log));
    setForwarding('1');
    await keepTable(again);
    await keepMembers(again);
    message = members.get(1)?.message ?? '';
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
