import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Job, Scheduler, type Scope, type Snapshot } from '../../../runtime/scheduling/src/index.ts';
import { simulate, workload } from '../../../runtime/simulator/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import { world } from '../../support/scheduling/jobs.ts';

/** Two organizations, the first with two projects, one of these with two users. */
const TREE: readonly Pick<Scope, 'name' | 'parent' | 'kind'>[] = [
  { name: 'a', kind: 'organization' },
  { name: 'a/x', parent: 'a', kind: 'project' },
  { name: 'a/x/u', parent: 'a/x', kind: 'user' },
  { name: 'a/x/v', parent: 'a/x', kind: 'user' },
  { name: 'a/y', parent: 'a', kind: 'project' },
  { name: 'b', kind: 'organization' },
];
const LEAVES = ['a/x/u', 'a/x/v', 'a/y', 'b'] as const;
const SIZE = 30;
const NOW = 1000;

const anyPast = fc
  .record({
    weights: fc.tuple(...TREE.map(() => fc.integer({ min: 1, max: 4 }))),
    halfLifeMs: fc.constantFrom(50, 300, 2000),
    historyWeight: fc.constantFrom(0.25, 1, 3),
    ran: fc.array(
      fc.record({
        queue: fc.constantFrom(...LEAVES),
        cores: fc.integer({ min: 0, max: 4 }),
        gib: fc.integer({ min: 0, max: 4 }),
        gpus: fc.integer({ min: 0, max: 4 }),
        from: fc.nat(NOW - 1),
        /** Instants until its end; what would end later runs still. */
        lasts: fc.constantFrom(1, 20, 100, 400, 2000),
      }),
      { minLength: 2, maxLength: 7 },
    ),
  })
  .map(({ weights, halfLifeMs, historyWeight, ran }) => {
    const left = SIZE - ran.reduce((sum, { from, lasts, gpus }) => sum + (from + lasts > NOW ? gpus : 0), 0);
    const given = world({
      policy: { historyHalfLifeMs: halfLifeMs, historyWeight },
      pools: [{ name: 'p' }],
      nodes: [
        {
          name: 'n',
          pool: 'p',
          milliCpu: 1000 * SIZE,
          memoryMiB: 1024 * SIZE,
          gpu: { model: 'A100', count: SIZE, memoryMiB: 1 },
        },
      ],
      presets: [
        ...ran.map(({ cores, gib, gpus }, n) => ({
          name: `r${n}`,
          milliCpu: 1000 * cores,
          memoryMiB: 1024 * gib,
          ...(gpus === 0 ? {} : { gpu: { kind: 'whole' as const, count: gpus } }),
        })),
        { name: 'rest', milliCpu: 0, memoryMiB: 0, gpu: { kind: 'whole', count: left } },
      ],
      scopes: TREE.map((place, n) => ({ ...place, weight: weights[n] ?? 1 })),
    });
    return { given, ran };
  });

interface Past {
  readonly given: Snapshot;
  readonly ran: readonly {
    readonly queue: string;
    readonly cores: number;
    readonly gib: number;
    readonly gpus: number;
    readonly from: number;
    readonly lasts: number;
  }[];
}

/** By the definition: of each resource what is held, and the integral of what was, weighted by how long ago; the largest part. */
function shareOf({ given, ran }: Past, scope: string): number {
  const { historyHalfLifeMs: half, historyWeight } = given.policy;
  const parts = (['cores', 'gib', 'gpus'] as const).map((resource) => {
    const sum = ran
      .filter(({ queue }) => queue === scope || queue.startsWith(`${scope}/`))
      .reduce((total, each) => {
        const end = Math.min(NOW, each.from + each.lasts);
        const past = 2 ** ((end - NOW) / half) - 2 ** ((each.from - NOW) / half);
        const holds = each.from + each.lasts > NOW ? 1 : 0;
        return total + each[resource] * (holds + historyWeight * past);
      }, 0);
    return sum / SIZE;
  });
  return Math.max(...parts) / (given.scopes.find(({ name }) => name === scope)?.weight ?? 1);
}

/** Who is next, level by level; several where shares are as good as equal. */
function next(past: Past, among: readonly string[]): readonly string[] {
  const shares = among.map((scope) => ({ scope, share: shareOf(past, scope) }));
  const least = Math.min(...shares.map(({ share }) => share));
  return shares
    .filter(({ share }) => share <= least + 1e-9)
    .flatMap(({ scope }) => {
      const below = past.given.scopes.filter(({ parent }) => parent === scope).map(({ name }) => name);
      return below.length === 0 ? [scope] : next(past, below);
    });
}

function submitted(given: Snapshot, id: string, queue: string, preset: string, at: number): Job {
  const [job] = world({ ...given, jobs: [{ id, queue, submittedAt: at, groups: [{ preset }] }] }).jobs;
  if (job === undefined) throw new Error('no job');
  return job;
}

test('who used the least of late, by the definition of decay and level by level, goes first', () => {
  const winners = new Map<string, number>();
  fc.assert(
    fc.property(anyPast, (past) => {
      const { given, ran } = past;
      const scheduler = new Scheduler(given, PLACEMENTS);
      const instants = new Set(ran.flatMap(({ from, lasts }) => [from, from + lasts]).filter((at) => at <= NOW));
      for (const now of [...instants].sort((a, b) => a - b)) {
        ran.forEach(({ from, lasts }, n) => {
          if (from + lasts === now) scheduler.finish(`r${n}`, now);
        });
        ran.forEach(({ from, queue }, n) => {
          if (from === now) scheduler.submit(submitted(given, `r${n}`, queue, `r${n}`, now), now);
        });
        scheduler.cycle(now);
      }
      for (const queue of LEAVES) scheduler.submit(submitted(given, `next ${queue}`, queue, 'rest', NOW), NOW);
      const starts = scheduler.cycle(NOW).decisions.map(({ queue }) => queue);
      expect(starts).toHaveLength(1);
      expect(next(past, ['a', 'b'])).toContain(starts[0]);
      winners.set(starts[0] ?? '', (winners.get(starts[0] ?? '') ?? 0) + 1);
    }),
    { numRuns: 400 },
  );
  expect(Math.min(...LEAVES.map((queue) => winners.get(queue) ?? 0))).toBeGreaterThan(0);
});

test('while all have work to wait, each gets its part of what the level above it gets', () => {
  fc.assert(
    fc.property(
      fc.tuple(...TREE.map(() => fc.integer({ min: 1, max: 3 }))),
      fc.integer({ min: 1, max: 1000 }),
      (weights, seed) => {
        const scopes = TREE.map((place, n) => ({ ...place, weight: weights[n] ?? 1 }));
        const until = 400_000;
        const { jobs } = simulate(
          workload.parse({
            seed,
            until,
            policy: { historyHalfLifeMs: 30_000 },
            pools: [{ name: 'p' }],
            nodes: [
              { name: 'n', pool: 'p', milliCpu: 1, memoryMiB: 1, gpu: { model: 'A100', count: 24, memoryMiB: 1 } },
            ],
            presets: [{ name: 'gpu', milliCpu: 0, memoryMiB: 0, gpu: { kind: 'whole', count: 1 } }],
            scopes,
            streams: LEAVES.map((queue) => ({
              name: queue,
              queue,
              groups: [{ preset: 'gpu' }],
              runMs: { mean: 5000 },
              everyMs: 0,
              count: 3000,
            })),
          }),
        );
        const held = (scope: string): number =>
          jobs
            .filter(({ queue }) => queue === scope || queue.startsWith(`${scope}/`))
            .reduce(
              (sum, { startedAt, endedAt }) => sum + (startedAt === undefined ? 0 : (endedAt ?? until) - startedAt),
              0,
            );
        for (const scope of scopes) {
          const beside = scopes.filter(({ parent }) => parent === scope.parent);
          const part = held(scope.name) / beside.reduce((sum, { name }) => sum + held(name), 0);
          const due = scope.weight / beside.reduce((sum, { weight }) => sum + weight, 0);
          expect(Math.abs(part - due), scope.name).toBeLessThan(0.06);
        }
      },
    ),
    { numRuns: 5 },
  );
});
