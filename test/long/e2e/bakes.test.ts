import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { execute, expectOk } from '../../../peers/src/command.ts';
import { bakeIn, type FlowClient, flowClient } from '../../support/bakes/flow-client.ts';
import { testPlatform, token } from '../../support/instance.ts';

/* The example of the guide by the unmodified apolo-flow, on the embedded cluster: real jobs that share volumes of the file storage. */

let ann: FlowClient;
let here: string;

beforeAll(async () => {
  const { apiUrl } = await testPlatform();
  ann = await flowClient();
  await ann.apolo.ok(['config', 'login-with-token', await token('ann'), apiUrl]);
  await ann.apolo.ok(['config', 'switch-project', 'default']);
  here = join(await ann.workspace({ 'train-eval/.none': '' }), 'train-eval');
  await cp(join(import.meta.dirname, '../../../docs/examples/train-eval'), here, { recursive: true });
  await expectOk(execute(['chown', '-R', `${ann.apolo.user.uid}`, here]));
  await ann.ok(here, ['upload', 'ALL']);
});
afterAll(async () => {
  await ann?.close();
});

/** Each task's last line in what `apolo-flow inspect` shows. */
async function tasksOf(bake: string): Promise<Readonly<Record<string, string>>> {
  const shown = await ann.ok(here, ['inspect', bake]);
  const lines = ['preprocess', 'train', 'evaluate'].map((task) => [
    task,
    new RegExp(`${task} +│ (\\w+)`).exec(shown)?.[1],
  ]);
  return Object.fromEntries(lines);
}

const all = (state: string) => ({ preprocess: state, train: state, evaluate: state });

test.each([
  ['the platform', [], 'succeeded'],
  ['the platform, a second time', [], 'cached'],
  ['the client’s own executor, after the cache was cleared', ['--local-executor'], 'succeeded'],
] as const)('train-eval is carried out by %s', async (_, options, state) => {
  if (options.length > 0) await ann.ok(here, ['clear-cache', 'train-eval']);
  const { code, stdout, stderr } = await ann.run(here, ['bake', ...options, 'train-eval'], { timeout: 300 });
  expect(code, `${stdout}${stderr}`).toBe(0);
  const bake = bakeIn(`${stdout}${stderr}`);
  expect(await tasksOf(bake)).toEqual(all(state));
  // What it says of a model that another job has written.
  expect(await ann.ok(here, ['show', bake, 'evaluate'])).toMatch(/the largest error on \d+ pairs is 0\.\d+/);
});

test('a bake that succeeded is baked once more, and the client reads the model that a job has written', async () => {
  const bake = bakeIn(await ann.ok(here, ['bakes']));
  expect(await ann.ok(here, ['restart', '--no-from-failed', bake], { timeout: 300 })).toContain('succeeded');
  expect(await ann.apolo.ok(['storage', 'ls', 'storage:train-eval/output'])).toContain('model.pt');
});
