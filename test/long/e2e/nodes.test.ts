import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { expectOk } from '../../../peers/src/command.ts';
import { mountOf } from '../../support/disk-faults.ts';
import { delos, delosJson, kubectl, TEST_CONFIG, testPlatform } from '../../support/instance.ts';
import { type Api, api, type JobDocument } from '../../support/service/api.ts';
import { until } from '../../support/until.ts';

/* Jobs on a platform of three nodes: the tests' instance gets two more for the time of this file. */

const NODES = ['node-1', 'node-2', 'node-3'];
let platform: Api;

const control = (...args: readonly string[]): Promise<string> => expectOk(delos(['cluster', 'node', ...args]));
const nodeOf = async ({ id, namespace }: JobDocument): Promise<string> =>
  kubectl(['get', 'pod', '-n', namespace ?? '', id, '-o', 'jsonpath={.spec.nodeName}']);
const gone = (job: JobDocument): Promise<Response> => platform.call('DELETE', `/jobs/${job.id}`);
const run = async (request: Readonly<Record<string, unknown>>): Promise<JobDocument> => {
  const { id } = await platform.create(request);
  return platform.running(id);
};

beforeAll(async () => {
  await testPlatform();
  await expectOk(delos(['cluster', 'up', '--config', TEST_CONFIG, '--nodes', '3']));
  platform = await api('ann');
});
afterAll(async () => {
  await expectOk(delos(['cluster', 'up', '--config', TEST_CONFIG, '--nodes', '1', '--delete-data']));
});

describe('jobs', () => {
  test('run on every node, each with its GPUs, and their logs are whole', async () => {
    // Two GPUs a node, one of all kept for another project: five jobs at once need all three nodes.
    const jobs = await Promise.all(
      Array.from({ length: 5 }, (_, at) => run({ preset_name: 'gpu', command: `sh -c "echo job ${at}; sleep 600"` })),
    );
    expect([...new Set(await Promise.all(jobs.map(nodeOf)))].sort()).toEqual(NODES);
    for (const [at, job] of jobs.entries()) {
      await gone(job);
      await platform.ended(job.id);
      expect((await platform.log(job.id)).toString()).toContain(`job ${at}`);
    }
  });

  test('go where their disk is, though another node is emptier', async () => {
    const request = {
      storage: 16 * 2 ** 20,
      life_span: null,
      name: 'travels',
      org_name: 'default',
      project_name: 'default',
    };
    const made = await platform.call('POST', '/disk', request);
    const { id } = z.looseObject({ id: z.string() }).parse(await made.json());
    const volume = (readOnly: boolean) => [mountOf(id, readOnly)];
    const first = await run({
      command: 'sh -c "echo written > /mnt/file; sync; sleep 600"',
      disk_volumes: volume(false),
    });
    const home = await nodeOf(first);
    await gone(first);
    await platform.ended(first.id);
    for (let round = 0; round < 3; round++) {
      const next = await run({ command: 'sh -c "cat /mnt/file; sleep 600"', disk_volumes: volume(true) });
      expect(await nodeOf(next)).toBe(home);
      await gone(next);
      await platform.ended(next.id);
      expect((await platform.log(next.id)).toString()).toContain('written');
    }
    expect((await platform.call('DELETE', `/disk/${id}`)).ok).toBe(true);
  });

  test('run on while their node is cut off, and nothing of their log is lost', async () => {
    const script = 'i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); sleep 1; done';
    const jobs = await Promise.all(
      Array.from({ length: 4 }, () => run({ preset_name: 'gpu', command: `sh -c "${script}"` })),
    );
    const nodes = await Promise.all(jobs.map(nodeOf));
    const other = nodes.find((node) => node !== 'node-1') ?? '';
    expect(NODES).toContain(other);
    await control('cut', other);
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    await control('mend', other);
    for (const job of jobs) {
      expect((await platform.ended(job.id, 180)).status).toBe('succeeded');
      const lines = (await platform.log(job.id)).toString().trim().split(/\r?\n/);
      expect(lines).toEqual(Array.from({ length: 60 }, (_, at) => `line ${at}`));
    }
  });

  test('of a node that is drained run again on another, where they come back', async () => {
    const spot = await run({ preset_name: 'spot', command: 'sleep 600' });
    const home = await nodeOf(spot);
    await kubectl(['drain', home, '--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=180s']);
    try {
      await until('it runs on another node', 180, async (last) => {
        const job = await platform.job(spot.id);
        const node = await nodeOf(job).catch((error: unknown) => String(error));
        last([job.status, node]);
        return job.status === 'running' && NODES.includes(node) && node !== home ? true : undefined;
      });
    } finally {
      await kubectl(['uncordon', home]);
    }
    await gone(spot);
    await platform.ended(spot.id);
  });
});

describe('the platform', () => {
  test('is shown with each of its nodes', async () => {
    const status = await delosJson(
      z.looseObject({ cluster: z.object({ nodes: z.array(z.object({ name: z.string(), ready: z.boolean() })) }) }),
      ['status'],
    );
    expect(status.cluster.nodes).toEqual(
      NODES.map((name) => expect.objectContaining({ name, ready: true }) as unknown),
    );
  });
});
