import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { DelosError, type Progress } from '@delos/core';
import type { PulumiHome } from './home.ts';
import { readLocks, type StackLock } from './state-file.ts';

/** How long an engine that lost its driver may take to save its state after an interrupt. */
const INTERRUPT_LIMIT_MS = 15_000;
/** How long an engine takes at most to write its lock. */
const WRITE_LIMIT_MS = 500;

/**
 * Looks at who holds the stack. A holder that is dead, or an engine whose driver was killed, is a remnant: the latter
 * is asked to stop, then made to.
 * @returns true when a lock is left over and must be cancelled
 * @throws DelosError ERR_LOCKED when another run is at work
 */
export async function findStaleLock(home: PulumiHome, progress: Progress): Promise<boolean> {
  const files = await readLocks(home);
  for (const { lock } of files) {
    if (lock === undefined) continue;
    if (lock.hostname !== hostname()) throw heldBy(lock);
    const commandLine = await commandLineOf(lock.pid);
    if (commandLine === undefined || !commandLine.some((word) => word.endsWith('pulumi'))) continue;
    if (await hasDriver(commandLine)) throw heldBy(lock);
    progress.step(`ending process ${lock.pid}: an update whose driver was killed`);
    await end(lock.pid);
  }
  // One that is being written this moment has its last name the next.
  if (files.some(({ lock }) => lock === undefined)) await sleep(WRITE_LIMIT_MS);
  const looked = new Set(files.map(({ name }) => name));
  return (await readLocks(home)).some(({ name }) => looked.has(name));
}

function heldBy(lock: StackLock): DelosError {
  return new DelosError(
    'ERR_LOCKED',
    `another update is at work since ${lock.timestamp}: process ${lock.pid} on ${lock.hostname}`,
    {
      hint: 'wait for its end; if that process is not an update, run `pulumi cancel` after eval "$(./delos env)"',
      data: { pid: lock.pid, hostname: lock.hostname },
    },
  );
}

async function commandLineOf(pid: number): Promise<readonly string[] | undefined> {
  try {
    const content = await readFile(`/proc/${pid}/cmdline`, 'utf8');
    return content === '' ? undefined : content.split('\0');
  } catch {
    return undefined;
  }
}

/** An engine under the Automation API is told its program's address by `--client`; without one it is a person's own. */
async function hasDriver(commandLine: readonly string[]): Promise<boolean> {
  const client = commandLine.find((word) => word.startsWith('--client='));
  if (client === undefined) return true;
  const port = Number(client.slice(client.lastIndexOf(':') + 1));
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function end(pid: number): Promise<void> {
  const started = Date.now();
  signal(pid, 'SIGINT');
  while ((await commandLineOf(pid)) !== undefined) {
    if (Date.now() - started > INTERRUPT_LIMIT_MS) signal(pid, 'SIGKILL');
    await sleep(100);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone meanwhile.
  }
}
