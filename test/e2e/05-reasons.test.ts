import { mirrorStore, tryStored } from '@delos/cluster';
import { instancePaths, standIn } from '@delos/core';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { expectOk } from '../../peers/src/command.ts';
import { delos, delosJson, kubectl, loggedIn, TEST_INSTANCE } from '../support/instance.ts';
import { type Api, api, DEFAULTS, IMAGE } from '../support/service/api.ts';
import { until } from '../support/until.ts';

describe('a job that cannot be what was asked for says why, in words', () => {
  let platform: Api;
  /** Runs for its minute beside the other tests. */
  let brief: string;
  beforeAll(async () => {
    platform = await api('ann');
    ({ id: brief } = await platform.create({ command: 'sleep 3000', max_run_time_minutes: 1 }));
    await platform.running(brief);
  });

  test('an image that cannot be pulled', async () => {
    const job = await platform.create({ image: 'registry.invalid/no/such:image', command: 'true' });
    const seen = await until('the reason is told', 120, async (last) => {
      const { status, history } = await platform.job(job.id);
      last([status, history]);
      return history.reason === 'ErrImagePull' ? history : undefined;
    });
    expect(seen.description).toContain('registry.invalid/no/such:image');
    await platform.call('DELETE', `/jobs/${job.id}`);
  });

  // Seen once on a loaded machine: the end of the container was told before its reason, and the job said exit code 137 alone.
  test('more memory than the preset has', { retry: 2 }, async () => {
    const job = await platform.create({
      command: `python3 -c "print('filling', flush=True); x = bytearray(512 * 2**20); print(len(x))"`,
    });
    const ended = await platform.ended(job.id);
    expect(ended).toMatchObject({ status: 'failed', history: { reason: 'OOMKilled', exit_code: 137 } });
    expect(ended.history.description).toMatch(/memory/i);
    expect((await platform.log(job.id)).toString()).toContain('filling');
  });

  test('a command that is not in the image', async () => {
    const job = await platform.create({ command: '/no/such/program' });
    const ended = await platform.ended(job.id);
    expect(ended.status).toBe('failed');
    expect(ended.history.description).toContain('/no/such/program');
  });

  test('a schedule timeout that is over', async () => {
    const job = await platform.create({ command: 'true', preset_name: 'huge', schedule_timeout: 3 });
    const ended = await platform.ended(job.id);
    expect(ended).toMatchObject({ status: 'failed', history: { reason: 'ScheduleTimeout' } });
    expect(ended.history.description).toMatch(/\S+ \S+/);
  });

  test('no room on any node: it waits and says for what', async () => {
    const job = await platform.create({ command: 'true', preset_name: 'huge' });
    const { history } = await until('it says why it waits', 60, async (last) => {
      const seen = await platform.job(job.id);
      last(seen.history);
      return seen.history.reason === 'NoCapacity' ? seen : undefined;
    });
    expect(history.description).toMatch(/cpu|core|memory|node/i);
    await platform.call('DELETE', `/jobs/${job.id}`);
  });

  test('a quota that is used up: it waits, and goes on when there is room', async () => {
    const first = await platform.create({ project_name: 'tight', command: 'sleep 3000' });
    await platform.running(first.id);
    const second = await platform.create({ project_name: 'tight', command: 'echo my turn', wait_for_jobs_quota: true });
    await until('it waits for the quota', 60, async (last) => {
      const { history } = await platform.job(second.id);
      last(history);
      return history.reason === 'QuotaExhausted' ? history : undefined;
    });
    await platform.call('DELETE', `/jobs/${first.id}`);
    expect((await platform.ended(second.id)).status).toBe('succeeded');
  });

  test('a quota that can never be met is refused at once', async () => {
    const response = await platform.call('POST', '/jobs?from_preset', {
      ...DEFAULTS,
      project_name: 'closed',
      command: 'true',
    });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    expect(await errorOf(response)).toMatch(/quota/i);
    const ann = await loggedIn('ann');
    const { code, stderr } = await ann.run(['run', '-p', 'closed', '-s', 'tiny', IMAGE, '--', 'true']);
    await ann.close();
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/quota/i);
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(5);
  });

  test.each([
    ['an unknown preset', { preset_name: 'tinny' }, /tinny.*tiny/s],
    ['an unknown project', { project_name: 'elsewhere' }, /elsewhere/],
    ['an unknown cluster', { cluster_name: 'elsewhere' }, /elsewhere/],
    ['no image', { image: undefined }, /image/],
    ['an image name that cannot be one', { image: 'UPPER case' }, /image/i],
    ['a command with an open quote', { command: 'echo "open' }, /quot/i],
    ['a job name that cannot be one', { name: 'Not A Name' }, /name/i],
    ['a field of another kind', { tags: 'red' }, /tags/],
    ['a negative life-span', { max_run_time_minutes: -1 }, /max_run_time_minutes/],
  ])('%s is refused, posted directly too', async (_, change, message) => {
    const response = await platform.call('POST', '/jobs?from_preset', { ...DEFAULTS, command: 'true', ...change });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    const error = await errorOf(response);
    expect(error).toMatch(message);
    expect(error.split('\n').length).toBeLessThanOrEqual(5);
  });

  test.each([
    ['that is no JSON', '{"preset_name":', 400, /JSON/],
    ['that is no object', '[]', 400, /expected/],
    ['that is empty', '', 400, /expected/],
    ['that is huge', JSON.stringify({ ...DEFAULTS, description: 'x'.repeat(20_000_000) }), 413, /larger than 1 MiB/],
  ])('a body %s is refused and the API lives on', async (_, body, status, message) => {
    const response = await platform.call('POST', '/jobs?from_preset', undefined, { body });
    expect(response.status).toBe(status);
    expect(await errorOf(response)).toMatch(message);
    expect((await platform.call('GET', '/config')).status).toBe(200);
  });

  test('an expired or missing token is refused with JSON', async () => {
    for (const authorization of ['Bearer nonsense', '', 'Basic YTpi']) {
      const response = await platform.call('GET', '/jobs', undefined, { headers: { authorization } });
      expect(response.status, authorization).toBe(401);
      expect(await errorOf(response)).toMatch(/token/i);
    }
  });

  test('the stand-in for a well-known image says so in its job, in `delos status` and in a label', async () => {
    const { standIns } = await delosJson(z.looseObject({ standIns: z.array(standIn) }), ['status']);
    const answering = standIns.find(({ answers }) => answers.includes('docker.io/library/ubuntu:24.04'));
    const job = await platform.create({ image: 'ubuntu:24.04', description: 'mine', command: 'sleep 600' });
    const { namespace, description, history } = await platform.running(job.id);
    const what = answering?.standIn ?? '';
    expect(description).toBe('mine');
    // Where Docker Hub can be reached it is an Ubuntu, of which there is nothing to say.
    expect(history.reason ?? '').toBe(answering === undefined ? '' : `stand-in image: ${what}`);
    const ann = await loggedIn('ann');
    expect(await ann.ok(['status', job.id])).toContain(
      answering === undefined ? 'running' : `(stand-in image: ${what})`,
    );
    await ann.close();
    const path = 'jsonpath={.status.containerStatuses[0].imageID}';
    const imageId = await kubectl(['get', 'pod', '-n', namespace ?? '', job.id, '-o', path]);
    expect(imageId.endsWith(answering?.digest ?? '')).toBe(true);
    const store = mirrorStore(instancePaths(TEST_INSTANCE, process.env));
    const image = await tryStored(store, 'stand-in/docker.io/library/ubuntu', '24.04');
    expect(image?.labels['dev.delos.stand-in'] ?? what).toBe(what);
    expect(await expectOk(delos(['status']))).toContain(answering === undefined ? 'platform' : `really ${what}`);
    await platform.call('DELETE', `/jobs/${job.id}`);
  });

  test('a life-span that is over', async () => {
    const ended = await platform.ended(brief, 150);
    expect(ended.status).not.toBe('succeeded');
    expect(ended.history.reason).toBe('LifeSpanEnded');
    expect(ended.history.description).toMatch(/1 ?m|60 ?s|life/i);
  });
});

async function errorOf(response: Response): Promise<string> {
  const text = await response.text();
  const { error } = JSON.parse(text) as { error?: unknown };
  expect(typeof error, text).toBe('string');
  return error as string;
}
