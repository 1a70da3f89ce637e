import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { pointSet } from '../../../../cli/src/commands/restore-time/points.ts';
import { expectOk } from '../../../../peers/src/command.ts';
import { delos, delosJson, kubectl, TEST_CONFIG, testPlatform, upDocument } from '../../../support/instance.ts';
import { api } from '../../../support/service/api.ts';
import { until } from '../../../support/until.ts';

const points = z.object({ sets: z.array(pointSet) });
const folder = mkdtempSync(join(tmpdir(), 'delos-restore-members-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Said by Patroni of each member. */
const members = z.array(z.object({ Member: z.string(), Role: z.string(), State: z.string() }));
const listed = async (): Promise<z.infer<typeof members>> => {
  const command = ['patronictl', 'list', '--format', 'json'];
  return members.parse(JSON.parse(await kubectl(['exec', '--namespace', 'delos', 'postgres-0', '--', ...command])));
};
const allThere = () =>
  until('three members are there', 240, async (last) => {
    const found = await listed();
    last(JSON.stringify(found));
    return found.filter(({ State }) => ['running', 'streaming'].includes(State)).length === 3 ? true : undefined;
  });

test('three members go back to a time together, after the primary has moved', async () => {
  await testPlatform();
  const config = join(folder, 'delos.yaml');
  const own = '\nservices:\n  databaseArchive: { enabled: true, within: 5 }\n  postgres: { replicas: 3 }\n';
  writeFileSync(config, readFileSync(TEST_CONFIG, 'utf8').replace('\nservices:\n', own));
  await delosJson(upDocument, ['up', '--config', config], { timeout: 900 });
  await allThere();
  const ann = await api('ann');
  const run = async (word: string): Promise<string> => {
    const { id } = await ann.create({ command: `echo ${word}`, preset_name: 'tiny' });
    await ann.ended(id);
    return id;
  };
  const status = async (id: string): Promise<number> => (await ann.call('GET', `/jobs/${id}`)).status;
  const sets = async () => (await delosJson(points, ['restore', '--points'])).sets;
  await until('there is a base backup', 120, async () => ((await sets()).length > 0 ? true : undefined));
  await run('zero');
  const known = (await sets()).length;
  const to = (await listed()).find(({ Role }) => Role !== 'Leader')?.Member ?? '';
  const move = ['patronictl', 'switchover', '--candidate', to, '--force'];
  await kubectl(['exec', '--namespace', 'delos', 'postgres-0', '--', ...move]);
  await allThere();
  const before = await until('the API takes a job', 60, () => run('one').catch(() => undefined));
  // A primary that moves is no other history.
  expect(await sets()).toHaveLength(known);
  const time = new Date().toISOString();
  await sleep(1000);
  const after = await run('two');
  await expectOk(delos(['restore', '--to-time', time, '--yes'], { timeout: 900 }));
  await until('the API answers', 120, async () => (await status(before).catch(() => 0)) === 200 || undefined);
  // The API says so of a job that it does not know.
  expect(await status(after)).toBe(400);
  await allThere();
  await run('three');
});
