import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { withFileLock } from '@delos/host';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const LOCK = join(import.meta.dirname, '../../../../host/src/file-lock.ts');
let folder = '';
let path = '';
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-lock-'));
  path = join(folder, 'a.lock');
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** Another process that takes the lock, says so, and holds it until its stdin ends. */
async function holder(): Promise<ChildProcess> {
  const code = `
    const { withFileLock } = await import(${JSON.stringify(LOCK)});
    await withFileLock(${JSON.stringify(path)}, { purpose: 'a test' }, async () => {
      console.log('held');
      for await (const _ of process.stdin);
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) if (line === 'held') return child;
  throw new Error('the other process ended without the lock');
}

describe('a lock between processes', () => {
  test('is waited for while another process holds it, and that process is named', async () => {
    const other = await holder();
    const waited: (number | undefined)[] = [];
    let held = false;
    const mine = withFileLock(path, { purpose: 'mine', onWait: (by) => waited.push(by?.pid) }, async () => {
      held = true;
    });
    await expect.poll(() => waited.length, { timeout: 10_000 }).toBeGreaterThan(0);
    expect(held).toBe(false);
    expect(waited[0]).toBe(other.pid);
    other.stdin?.end();
    await mine;
    expect(held).toBe(true);
  });

  test('is free at once when its holder is killed', async () => {
    const other = await holder();
    other.kill('SIGKILL');
    let held = false;
    await withFileLock(path, { purpose: 'mine', limitSeconds: 30 }, async () => {
      held = true;
    });
    expect(held).toBe(true);
  });

  test('names holder and limit in the error when the limit is reached', async () => {
    const other = await holder();
    const tried = withFileLock(path, { purpose: 'mine', limitSeconds: 1 }, () => Promise.resolve());
    await expect(tried).rejects.toMatchObject({ code: 'ERR_LOCKED', message: expect.stringContaining(`${other.pid}`) });
  });

  test('lets one after the other in, whatever order they come in', async () => {
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      inside += 1;
      most = Math.max(most, inside);
      await readFile(path);
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 8 }, () => withFileLock(path, { purpose: 'one of many' }, work)));
    expect(most).toBe(1);
  });

  test('is given back when the work fails', async () => {
    const failing = withFileLock(path, { purpose: 'failing' }, () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    await expect(withFileLock(path, { purpose: 'next', limitSeconds: 10 }, () => Promise.resolve('in'))).resolves.toBe(
      'in',
    );
  });
});
