import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instancePaths } from '@delos/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { holderOf, lockInstance } from '../../../cli/src/instance/lock.ts';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'delos-lock-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const paths = (instance: string) => instancePaths(instance, { HOME: home });

test('one command at a time holds an instance, and the other is told by whom', async () => {
  const unlock = await lockInstance(paths('one'), 'up');
  await expect(lockInstance(paths('one'), 'down')).rejects.toMatchObject({
    code: 'ERR_LOCKED',
    message: expect.stringMatching(new RegExp(`\`delos up\` \\(process ${process.pid}`)),
  });
  unlock();
});

test('a lock is free once it is given back', async () => {
  (await lockInstance(paths('two'), 'up'))();
  expect(await holderOf(paths('two'))).toBeUndefined();
  (await lockInstance(paths('two'), 'up'))();
});

test('instances do not lock each other, nor do two users’ instances of one name', async () => {
  const held = await lockInstance(paths('three'), 'up');
  (await lockInstance(paths('four'), 'up'))();
  (await lockInstance(instancePaths('three', { HOME: join(home, 'other') }), 'up'))();
  held();
});

test('a killed holder leaves nothing behind that has to be removed', async () => {
  const lock = join(import.meta.dirname, '../../../cli/src/instance/lock.ts');
  const code = `const { lockInstance } = await import(${JSON.stringify(lock)});
    await lockInstance(JSON.parse(process.argv[1]), 'up');
    console.log('held');
    setInterval(() => undefined, 1000);`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', code, JSON.stringify(paths('five'))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  await expect(lockInstance(paths('five'), 'up')).rejects.toMatchObject({ code: 'ERR_LOCKED' });
  expect(await holderOf(paths('five'))).toMatchObject({ pid: holder.pid, what: 'up' });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  (await lockInstance(paths('five'), 'up'))();
});
