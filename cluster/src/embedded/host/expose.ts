import { DelosError } from '@delos/core';
import { canBind, freePort, portTaken, tryReadJson, waitUntil, writeAtomic } from '@delos/host';
import type { Layout } from '../spec.ts';
import { tryReadHostStatus } from '../status.ts';
import { forwards } from './forward.ts';

interface PortPair {
  readonly host: number;
  readonly node: number;
}

const OPEN_LIMIT = 30_000;

/**
 * Asks `host` to answer these loopback ports with the node's, and waits until it does. A port 0 is the one that this
 * node port had before, else a free one.
 * @throws DelosError ERR_PORT_TAKEN naming the port, and its holder where it can be seen
 */
export async function exposeLoopback(layout: Layout, ports: readonly PortPair[]): Promise<readonly PortPair[]> {
  const before = tryReadJson(layout.forwards, forwards)?.ports ?? [];
  const settled: PortPair[] = [];
  for (const { host, node } of ports) {
    const kept = before.find((port) => port.node === node)?.host;
    settled.push({ host: host !== 0 ? host : (kept ?? (await freePort())), node });
  }
  for (const { host } of settled) {
    if (!before.some((port) => port.host === host) && !(await canBind(host))) throw portTaken(host);
  }
  const others = before.filter((port) => !settled.some((each) => each.node === port.node || each.host === port.host));
  writeAtomic(layout.forwards, JSON.stringify({ ports: [...others, ...settled] }));
  const entryOf = (port: PortPair) =>
    tryReadHostStatus(layout)?.forwards.find((each) => each.host === port.host && each.node === port.node);
  await waitUntil(() => settled.every((port) => entryOf(port)?.open === true), OPEN_LIMIT);
  for (const port of settled) {
    const entry = entryOf(port);
    if (entry?.open === true) continue;
    if (entry?.error.includes('EADDRINUSE') === true) throw portTaken(port.host);
    throw new DelosError(
      'ERR_CLUSTER_START',
      `127.0.0.1:${port.host} does not lead to the node: ${entry?.error ?? 'the host process has not taken it over within 30 s'}`,
      { hint: 'repair the cluster: delos cluster up' },
    );
  }
  return settled;
}
