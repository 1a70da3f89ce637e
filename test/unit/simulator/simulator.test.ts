import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  comparison,
  htmlReport,
  overlay,
  parseSwf,
  simulate,
  type WorkloadInput,
  workload,
  workloadFaults,
} from '../../../runtime/simulator/src/index.ts';

const guide = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../../../docs/guides/scheduling', name), 'utf8');

/** One node of two cores; jobs of one core. */
const small: WorkloadInput = {
  pools: [{ name: 'p' }],
  nodes: [{ name: 'n', pool: 'p', milliCpu: 2000, memoryMiB: 1 }],
  presets: [
    { name: 'core', milliCpu: 1000, memoryMiB: 0 },
    { name: 'spot', milliCpu: 1000, memoryMiB: 0, preemptible: true },
  ],
  scopes: [{ name: 'a' }, { name: 'b' }],
};

const job = (
  id: string,
  at: number,
  runMs: number,
  facts: Partial<NonNullable<WorkloadInput['jobs']>[number]> = {},
) => ({
  id,
  at,
  runMs,
  queue: 'a',
  groups: [{ preset: 'core' }],
  ...facts,
});

test('waiting time, slowdown, utilization and makespan are what they are by hand', () => {
  const { metrics } = simulate(
    workload.parse({ ...small, jobs: [job('1', 0, 20_000), job('2', 0, 20_000), job('3', 10_000, 40_000)] }),
  );
  expect(metrics.makespanMs).toBe(60_000);
  expect(metrics.waitMs).toEqual({ mean: 10_000 / 3, p50: 0, p95: 10_000, max: 10_000 });
  expect(metrics.boundedSlowdown.max).toBe(50_000 / 40_000);
  // 80 core-seconds of 120.
  expect(metrics.utilization.cpu).toBeCloseTo(80 / 120);
  expect(metrics.utilization.gpu).toBeUndefined();
  expect(metrics.jain).toBeUndefined();
});

test('slices of a device count as parts of it in what is in use', () => {
  const nodes = [
    { name: 'whole', pool: 'p', milliCpu: 0, memoryMiB: 0, gpu: { model: 'A100', count: 1, memoryMiB: 1 } },
    { name: 'sliced', pool: 'p', milliCpu: 0, memoryMiB: 0, slices: { 'nvidia.com/mig-1g.10gb': 7 } },
  ];
  const gpu = { kind: 'slice' as const, profile: 'nvidia.com/mig-1g.10gb', count: 7 };
  const { metrics } = simulate(
    workload.parse({
      ...small,
      nodes,
      presets: [{ name: 'core', milliCpu: 0, memoryMiB: 0, gpu }],
      jobs: [job('1', 0, 1000)],
    }),
  );
  expect(metrics.utilization.gpu).toBeCloseTo(0.5);
});

test("Jain's index is 1 for equal shares and tells unequal ones", () => {
  const both = ['a', 'b'].flatMap((queue) =>
    Array.from({ length: 10 }, (_, n) => job(`${queue}${n}`, 0, 1000, { queue })),
  );
  expect(simulate(workload.parse({ ...small, jobs: both })).metrics.jain).toBeCloseTo(1);
  const late = both.map((each) => ({
    ...each,
    at: each.queue === 'b' ? 1 : 0,
    runMs: each.queue === 'b' ? 1000 : 9000,
  }));
  expect(simulate(workload.parse({ ...small, policy: { order: 'submission' }, jobs: late })).metrics.jain).toBeLessThan(
    0.95,
  );
});

test.each([
  // (0.6 + 0.3)² / (2 · (0.6² + 0.3²)), and over the weights both have 0.3.
  { weight: 1, jain: 0.9 },
  { weight: 2, jain: 1 },
])('shares count memory where it is the dominant resource, over the weight ($weight)', ({ weight, jain }) => {
  const { metrics } = simulate(
    workload.parse({
      pools: [{ name: 'p' }],
      nodes: [{ name: 'n', pool: 'p', milliCpu: 10_000, memoryMiB: 10_240 }],
      presets: [
        { name: 'memory', milliCpu: 1000, memoryMiB: 6144 },
        { name: 'cores', milliCpu: 3000, memoryMiB: 1024 },
        { name: 'all', milliCpu: 1000, memoryMiB: 10_240 },
      ],
      scopes: [{ name: 'a', weight }, { name: 'b' }],
      jobs: [
        job('1', 0, 1000, { groups: [{ preset: 'memory' }] }),
        job('2', 0, 1000, { groups: [{ preset: 'cores' }], queue: 'b' }),
        // Waits for as long as both run.
        job('3', 0, 1000, { groups: [{ preset: 'all' }], queue: 'b' }),
      ],
    }),
  );
  expect(metrics.series.shares.a?.[0]).toEqual({ at: 0, value: 0.6 });
  expect(metrics.series.shares.b?.[0]).toEqual({ at: 0, value: 0.3 });
  expect(metrics.jain).toBeCloseTo(jain, 12);
});

test('a preempted job starts again from the beginning', () => {
  const { jobs, metrics } = simulate(
    workload.parse({
      ...small,
      jobs: [
        job('low', 0, 10_000, { groups: [{ preset: 'spot', count: 2 }] }),
        job('urgent', 4000, 1000, { priority: 'high' }),
      ],
    }),
  );
  expect(metrics.preemptions).toBe(1);
  expect(jobs.find(({ id }) => id === 'low')).toMatchObject({ startedAt: 5000, endedAt: 15_000, preemptions: 1 });
});

test('jobs of a lost node wait again and go on when it is back', () => {
  const given = { ...small, jobs: [job('1', 0, 10_000)], failures: [{ node: 'n', at: 4000, forMs: 2000 }] };
  expect(simulate(workload.parse(given)).jobs[0]).toMatchObject({ startedAt: 6000, endedAt: 16_000, preemptions: 1 });
});

test('of an array so many jobs run at once, in streams as well', () => {
  const array = { name: 'sweep', maxRunning: 1 };
  const arrive = { queue: 'a', groups: [{ preset: 'core' }], runMs: 1000, array };
  const together = { jobs: [job('1', 0, 1000, { array })], streams: [{ ...arrive, name: 's', everyMs: 0, count: 2 }] };
  const { jobs } = simulate(workload.parse({ ...small, ...together }));
  expect(jobs.map(({ startedAt }) => startedAt)).toEqual([0, 1000, 2000]);
});

test('the same seed gives the same simulation, another one another', () => {
  const streams = [
    { name: 's', queue: 'a', groups: [{ preset: 'core' }], everyMs: { mean: 900 }, runMs: { mean: 1500 }, count: 200 },
  ];
  const result = (seed: number) => simulate(workload.parse({ ...small, seed, streams }));
  expect(result(7)).toEqual(result(7));
  expect(result(8).metrics.makespanMs).not.toBe(result(7).metrics.makespanMs);
});

test('a log in Standard Workload Format becomes a machine, its users and its jobs', () => {
  const log = parseSwf(
    [
      '; MaxNodes: 2',
      '; MaxProcs: 8',
      '',
      '1 0 -1 100 2 -1 -1 2 200 -1 1 7 3 -1 1 1 -1 -1',
      '2 10 -1 50 8 -1 -1 8 40 -1 1 8 3 -1 1 1 -1 -1',
      '3 10 -1 -1 8 -1 -1 8 40 -1 5 8 3 -1 1 1 -1 -1',
    ].join('\n'),
    'log',
  );
  if ('message' in log) throw new Error(log.message);
  expect(log.skipped).toBe(1);
  // What was asked for, or what it took where it was let go on for longer.
  expect(log.workload.jobs?.map(({ lifeSpanMs }) => lifeSpanMs)).toEqual([200_000, 50_000]);
  const { jobs } = simulate(workload.parse(log.workload));
  expect(jobs.map(({ id, queue, startedAt, endedAt }) => [id, queue, startedAt, endedAt])).toEqual([
    ['1', 'log/group-3/user-7', 0, 100_000],
    ['2', 'log/group-3/user-8', 100_000, 150_000],
  ]);
});

const good = '1 0 -1 100 2 -1 -1 2 200 -1 1 7 3 -1 1 1 -1 -1';
test.each([
  ['1 0 -1 100', 3, 'allocated processors', 'expected 18 columns, found 4'],
  [good.replace('1 0', '1 -5'), 3, 'submit time', '"-5" is not accepted'],
  [good.replace('100', '-100'), 3, 'run time', '"-100" is not accepted'],
  [good.replace('200', 'long'), 3, 'requested time', '"long" is not accepted'],
])('a line %j is refused with its line and field', (line, at, field, message) => {
  const fault = parseSwf(`; MaxNodes: 2\n; MaxProcs: 8\n${line}\n`, 'log');
  expect(fault).toMatchObject({ line: at, field, message });
});

test('a log that does not say how large the machine was is refused', () => {
  expect(parseSwf(good, 'log')).toMatchObject({ field: 'MaxProcs' });
});

test.each([
  [{ pools: [{ name: 'p' }, { name: 'p' }] }, 'pools.1.name', 'two pools are called p'],
  [
    {
      scopes: [
        { name: 'a', parent: 'b' },
        { name: 'b', parent: 'a' },
      ],
    },
    'scopes.0.parent',
    'scope a is its own ancestor: a → b → a',
  ],
  [{ jobs: [job('1', 0, 1, { queue: 'nobody' })] }, 'jobs.0.queue', 'there is no scope nobody'],
  [
    { streams: [{ name: 's', queue: 'a', groups: [{ preset: 'none' }], runMs: 1, everyMs: 1, count: 1 }] },
    'streams.0.groups.0.preset',
    'there is no preset none',
  ],
  [{ failures: [{ node: 'm', at: 0, forMs: 1 }] }, 'failures.0.node', 'there is no node m'],
] as readonly [Partial<WorkloadInput>, string, string][])(
  'a workload that contradicts itself is refused: %j',
  (facts, path, message) => {
    const faults = workloadFaults(workload.parse({ ...small, ...facts }));
    expect(faults.map((fault) => [fault.path.join('.'), fault.message])).toContainEqual([path, message]);
  },
);

test('a workload laid over another changes what has a name there and adds the rest', () => {
  expect(
    overlay(
      { title: 'x', policy: { minRunMs: 1 }, scopes: [{ name: 'a', weight: 1 }] },
      { title: 'y', policy: { quotas: false }, scopes: [{ name: 'a', weight: 2 }, { name: 'b' }] },
    ),
  ).toEqual({ title: 'y', policy: { minRunMs: 1, quotas: false }, scopes: [{ name: 'a', weight: 2 }, { name: 'b' }] });
});

test('the report is one page that loads nothing and compares what it was given', () => {
  const results = [simulate(workload.parse({ ...small, title: 'one <b>', jobs: [job('1', 0, 1000)] }))];
  const page = htmlReport(results);
  expect(page).toContain('one &lt;b>');
  expect(page.match(/<svg /g)).toHaveLength(3);
  expect(page.replaceAll('xmlns="http://www.w3.org/2000/svg"', '')).not.toMatch(/https?:|src=|href=|<script|NaN/);
  expect(comparison(results).head).toEqual(['', 'one <b>']);
});

describe('the guide', () => {
  const files = ['two-teams.yaml', 'ten-more-nodes.yaml', 'weight-2.yaml', 'guarantee.yaml'];
  const raw = (name: string): WorkloadInput & { readonly base?: string } => parse(guide(name));
  const results = files.map((name) => {
    const { base, ...over } = raw(name);
    return simulate(workload.parse(base === undefined ? over : overlay(raw(base), over)));
  });

  test('shows what the command prints', () => {
    const text = guide('../scheduling.md').replaceAll(/ +/g, ' ');
    const { head, rows } = comparison(results);
    for (const cells of [head, ...rows]) expect(text).toContain(`| ${cells.join(' | ').trim()} |`);
  });

  test.each(['in-use', 'shares'])('has the picture %s of the report of the first', (name) => {
    const picture = guide(`../../pictures/scheduling-${name}.svg`).trim();
    expect(htmlReport(results.slice(0, 1))).toContain(picture);
    // Taken out of the page it is a picture by itself, with its legend.
    expect(picture).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" .*<style>.*<\/svg>$/s);
    expect([...picture.matchAll(/<path [^>]*stroke="(#\w+)"/g)].map(([, colour]) => colour)).toEqual(
      [...picture.matchAll(/<rect [^>]*fill="(#\w+)"/g)].map(([, colour]) => colour),
    );
  });

  test('says what the figures say', () => {
    const waits = (queue: string): readonly number[] =>
      results.map(({ metrics }) => metrics.byQueue.find((each) => each.queue === queue)?.waitMs.mean ?? Number.NaN);
    const trainings = results.map(({ jobs }) => {
      const own = jobs.filter(({ id }) => id.startsWith('training-'));
      return (
        own.reduce((sum, { startedAt = Number.NaN, submittedAt }) => sum + startedAt - submittedAt, 0) / own.length
      );
    });
    // As it is, with more nodes, with another weight.
    const [a, b] = [waits('a'), waits('b')];
    expect([a[1], b[1]]).toEqual([0, 0]);
    expect(a[0]).toBeLessThan(b[0] ?? 0);
    expect(b[2]).toBeLessThan(a[2] ?? 0);
    expect(trainings[3]).toBeLessThan((trainings[0] ?? 0) / 2);
    const restarts = results.map(({ metrics }) => metrics.preemptions);
    expect(restarts[3]).toBeGreaterThan(restarts[0] ?? 0);
  });
});
