import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { DelosError } from '@delos/core';
import { commandLine } from './processes.ts';

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
