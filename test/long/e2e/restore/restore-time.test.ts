import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { pointSet } from '../../../../cli/src/commands/restore-time/points.ts';
import { expectOk, start } from '../../../../peers/src/command.ts';
import {
  delos,
  delosJson,
  kubectl,
  TEST_CONFIG,
  TEST_INSTANCE,
  testPlatform,
  upDocument,
} from '../../../support/instance.ts';
import { type Api, api } from '../../../support/service/api.ts';
import { until } from '../../../support/until.ts';

/* An operator takes the database back to a time between two jobs, and then forward again to what was left. */

const points = z.object({ sets: z.array(pointSet) });

describe('a platform whose database is archived', () => {
  const folder = mkdtempSync(join(tmpdir(), 'delos-restore-time-'));
  const config = join(folder, 'delos.yaml');
  const times = { between: '', after: '' };
  const jobs = { before: '', after: '' };
  let ann: Api;

  const psql = (sql: string): Promise<string> => {
    const command = ['psql', '--host=/var/run/postgresql', '--username=postgres', '--no-align', '--tuples-only'];
    return kubectl(['exec', '--namespace', 'delos', 'postgres-0', '--', ...command, '--command', sql]);
  };
  const now = async (): Promise<string> => {
    const form = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`;
    return (await psql(`select to_char(clock_timestamp() at time zone 'UTC', ${form})`)).trim();
  };
  const run = async (word: string): Promise<string> => {
    const { id } = await ann.create({ command: `echo ${word}`, preset_name: 'tiny' });
    await ann.ended(id);
    return id;
  };
  const status = async (id: string): Promise<number> => (await ann.call('GET', `/jobs/${id}`)).status;
  const back = (time: string, ...options: readonly string[]) =>
    delos(['restore', '--to-time', time, ...options], { timeout: 900 });

  beforeAll(async () => {
    await testPlatform();
    const text = readFileSync(TEST_CONFIG, 'utf8');
    writeFileSync(
      config,
      text.replace('\nservices:\n', '\nservices:\n  databaseArchive: { enabled: true, within: 5 }\n'),
    );
    await delosJson(upDocument, ['up', '--config', config], { timeout: 900 });
    ann = await api('ann');
    await until('there is a base backup', 120, async () =>
      (await delosJson(points, ['restore', '--points'])).sets.length > 0 ? true : undefined,
    );
    jobs.before = await run('one');
    await sleep(1000);
    times.between = await now();
    await sleep(1000);
    jobs.after = await run('two');
    times.after = await now();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('says what can be gone back to, and refuses every other time before anything is changed', async () => {
    const { sets } = await delosJson(points, ['restore', '--points']);
    expect(sets).toHaveLength(1);
    const refused = async (time: string, ...options: readonly string[]) => {
      const { code, stderr } = await back(time, ...options);
      expect(code, stderr).not.toBe(0);
      return stderr;
    };
    expect(await refused('2020-01-01T00:00:00Z', '--yes')).toContain('is before the first base backup');
    expect(await refused('2120-01-01T00:00:00Z', '--yes')).toContain('is after the end of the archive');
    expect(await refused('yesterday', '--yes')).toContain('is no time');
    expect(await refused(times.between)).toContain('say that this is meant');
    expect(await expectOk(back(times.between, '--plan'))).toContain(`goes back to ${times.between}`);
    expect(await status(jobs.after)).toBe(200);
  });

  test('goes back to the time, killed in between: the same command goes on, an `up` is refused meanwhile', async () => {
    const root = join(import.meta.dirname, '../../../..');
    const killed = start([join(root, 'delos'), 'restore', '--to-time', times.between, '--yes'], {
      env: { ...process.env, DELOS_INSTANCE: TEST_INSTANCE },
      timeout: 900,
    });
    await until('the log comes', 300, async (last) => {
      last(killed.stderr());
      return /^ *[\d.]+s {2}base backup$/m.test(killed.stderr()) || undefined;
    });
    killed.child.kill('SIGKILL');
    await killed.end;
    const refused = await delos(['up', '--config', config]);
    expect([refused.code, refused.stderr]).toEqual([
      8,
      expect.stringContaining(`going back to ${times.between} was interrupted`),
    ]);
    await expectOk(back(times.between, '--yes'));
    await until('the API answers', 120, async () => (await status(jobs.before).catch(() => 0)) === 200 || undefined);
    // The API says so of a job that it does not know.
    expect(await status(jobs.after)).toBe(400);
    expect((await ann.log(jobs.before)).toString()).toContain('one');
    await run('three');
    const left = await kubectl(['exec', '--namespace', 'delos', 'postgres-0', '--', 'ls', '/var/lib/postgresql/data']);
    expect(left.split('\n').filter((name) => name.startsWith('pgdata'))).toEqual(['pgdata']);
  });

  test('goes forward again to what was left by that', async () => {
    await until('the new history has a base backup', 180, async () =>
      (await delosJson(points, ['restore', '--points'])).sets.length > 1 ? true : undefined,
    );
    await expectOk(back(times.after, '--yes'));
    await until('the API answers', 120, async () => (await status(jobs.after).catch(() => 0)) === 200 || undefined);
    expect((await delosJson(upDocument, ['up', '--config', config], { timeout: 900 })).changes).toMatchObject({
      delete: 0,
      replace: 0,
    });
  });
});
