import { createHash } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { DelosError } from '@delos/core';
import { z } from 'zod';

/*
 * A lock is a listening socket in the kernel's abstract namespace. The kernel drops it with its process, however that
 * ends: a lock is never stale. Who asks it hears its holder, which is the heartbeat: a holder that hangs is silent.
 */
const holderSchema = z.object({
  pid: z.number(),
  /** The work that it holds the lock for. */
  what: z.string(),
  /** ISO 8601. */
  since: z.string(),
});
export type LockHolder = z.infer<typeof holderSchema>;

const MUTEX_LIMIT = 30_000;

const nameOf = (name: string) => `\0delos-${createHash('sha256').update(name).digest('hex').slice(0, 24)}`;

function tryListen(name: string, holder: LockHolder): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(JSON.stringify(holder));
    });
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(nameOf(name), () => resolve(server.unref()));
  });
}

/** Undefined when nobody holds the lock, or its holder does not say who it is. */
export function tryHolder(name: string): Promise<LockHolder | undefined> {
  return new Promise((resolve) => {
    const socket = connect(nameOf(name));
    let text = '';
    socket.setTimeout(2000, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      try {
        resolve(holderSchema.parse(JSON.parse(text)));
      } catch {
        resolve(undefined);
      }
    });
  });
}

/** Takes the lock. @returns a function that gives it back; undefined where another process holds it */
export async function tryLock(name: string, what: string): Promise<(() => void) | undefined> {
  const server = await tryListen(name, { pid: process.pid, what, since: new Date().toISOString() });
  return server === undefined ? undefined : () => void server.close();
}

/**
 * Runs `work` while holding the lock; who comes second is refused.
 * @throws DelosError ERR_LOCKED naming the holder
 */
export async function withLock<T>(name: string, what: string, work: () => Promise<T>): Promise<T> {
  const server = await tryListen(name, { pid: process.pid, what, since: new Date().toISOString() });
  if (server === undefined) {
    const holder = await tryHolder(name);
    const who = holder === undefined ? 'a process that does not answer' : `process ${holder.pid} (${holder.what})`;
    throw new DelosError('ERR_LOCKED', `${what}: ${who} is at work on this cluster`, {
      hint: 'wait until it has ended, or end it; then run the same command again',
      data: { holder },
    });
  }
  try {
    return await work();
  } finally {
    server.close();
  }
}

/** As `withLock`, but who comes second waits. For work of milliseconds. @throws DelosError ERR_TIMEOUT */
export async function withMutex<T>(name: string, work: () => Promise<T>): Promise<T> {
  const limit = performance.now() + MUTEX_LIMIT;
  for (;;) {
    const server = await tryListen(name, { pid: process.pid, what: name, since: new Date().toISOString() });
    if (server !== undefined) {
      try {
        return await work();
      } finally {
        server.close();
      }
    }
    if (performance.now() > limit) {
      const holder = await tryHolder(name);
      throw new DelosError('ERR_TIMEOUT', `${name}: held for over 30 s by process ${holder?.pid ?? 'unknown'}`, {
        hint: 'end that process, then run the same command again',
      });
    }
    await sleep(20 + Math.random() * 30);
  }
}
