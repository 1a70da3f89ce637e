import { createHash } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';
import { DelosError, type InstancePaths } from '@delos/core';

/** Who holds an instance, as it tells anyone who asks. */
export interface LockHolder {
  readonly pid: number;
  readonly command: string;
  /** ISO 8601. */
  readonly since: string;
}

/**
 * One changing command an instance at a time. The lock is a listening socket in the kernel's abstract namespace: it
 * ends with its process, however that ends, so there is no stale lock and nobody ever has to remove one.
 *
 * @throws DelosError ERR_LOCKED, naming the holder
 */
export async function lockInstance(paths: InstancePaths, command: string): Promise<() => void> {
  const name = socketName(paths);
  const holder: LockHolder = { pid: process.pid, command, since: new Date().toISOString() };
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(JSON.stringify(holder));
  });
  if (await tryListen(server, name)) {
    server.unref();
    return () => void server.close();
  }
  const other = await tryHolder(paths);
  throw new DelosError(
    'ERR_LOCKED',
    other === undefined
      ? `instance ${paths.instance} is held by another run`
      : `instance ${paths.instance} is held by \`delos ${other.command}\` (process ${other.pid}, since ${other.since})`,
    { hint: 'wait until it has ended, or end it; then run the same command again', data: { holder: other } },
  );
}

/** Who holds the instance now; undefined when nobody does. */
export function tryHolder(paths: InstancePaths): Promise<LockHolder | undefined> {
  return new Promise((resolve) => {
    const socket = connect(socketName(paths));
    let text = '';
    socket.setTimeout(2000, () => socket.destroy());
    socket.on('data', (part: Buffer) => {
      text += part.toString();
    });
    socket.on('error', () => resolve(undefined));
    socket.on('close', () => {
      try {
        resolve(JSON.parse(text) as LockHolder);
      } catch {
        resolve(undefined);
      }
    });
  });
}

/** Names the state folder, not only the instance: two users' instances of one name are two. */
function socketName(paths: InstancePaths): string {
  return `\0delos-${createHash('sha256').update(paths.state).digest('hex').slice(0, 32)}`;
}

function tryListen(server: Server, name: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(name, () => resolve(true));
  });
}
