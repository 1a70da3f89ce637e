import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { DelosError } from '@delos/core';
import { tryReadJson, writeAtomic } from './files.ts';
import { forwards } from './forward.ts';
import { commandLine, waitUntil } from './process.ts';
import type { Layout } from './spec.ts';
import { tryReadHostStatus } from './status.ts';

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

export function portTaken(port: number): DelosError {
  const holder = tryHolderOf(port);
  return new DelosError(
    'ERR_PORT_TAKEN',
    `port ${port} of 127.0.0.1 is taken${holder === undefined ? '' : ` by process ${holder.pid} (${holder.command})`}`,
    {
      hint: 'end what holds it, or set gateway.httpPort and gateway.httpsPort to other ports (0: take a free one)',
      data: { port, holder },
    },
  );
}

function tryListen(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}

export async function canBind(port: number): Promise<boolean> {
  return (await tryListen(port)) !== undefined;
}

export async function freePort(): Promise<number> {
  const port = await tryListen(0);
  if (port === undefined) throw new DelosError('ERR_PORT_TAKEN', 'no port of 127.0.0.1 is free');
  return port;
}

/** Who listens on a TCP port of this machine, as far as this user can see. */
export function tryHolderOf(port: number): { readonly pid: number; readonly command: string } | undefined {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readLines(table)) {
      const fields = line.trim().split(/\s+/);
      // 0A is LISTEN.
      if (fields[1]?.endsWith(`:${hex}`) && fields[3] === '0A' && fields[9] !== undefined) {
        inodes.add(`socket:[${fields[9]}]`);
      }
    }
  }
  if (inodes.size === 0) return undefined;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
        if (inodes.has(readlinkSync(`/proc/${pid}/fd/${descriptor}`))) {
          return { pid: Number(pid), command: commandLine(Number(pid)).join(' ').slice(0, 80) };
        }
      }
    } catch {
      // Ended meanwhile, or another user's.
    }
  }
  return undefined;
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(1);
  } catch {
    return [];
  }
}
