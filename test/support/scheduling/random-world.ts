import fc from 'fast-check';
import type { Job, Node, Snapshot, SnapshotInput } from '../../../runtime/scheduling/src/index.ts';
import { world } from './jobs.ts';

/*
 * Random small clusters, trees and jobs. Small, so that brute force can judge them, and rich, so that every rule of the
 * model meets every other.
 */

const presets: SnapshotInput['presets'] = [
  { name: 'cpu', milliCpu: 1000, memoryMiB: 1024 },
  { name: 'cpu-large', milliCpu: 3000, memoryMiB: 2048 },
  { name: 'spot', milliCpu: 1000, memoryMiB: 1024, preemptible: true },
  { name: 'gpu', milliCpu: 500, memoryMiB: 512, gpu: { kind: 'whole', count: 1 } },
  { name: 'gpu-spot', milliCpu: 500, memoryMiB: 512, gpu: { kind: 'whole', count: 1 }, preemptible: true },
  { name: 'gpu-2', milliCpu: 500, memoryMiB: 512, gpu: { kind: 'whole', count: 2 } },
  { name: 'gpu-part', milliCpu: 500, memoryMiB: 512, gpu: { kind: 'fraction', milli: 400 }, preemptible: true },

  {
    name: 'gpu-memory',
    milliCpu: 500,
    memoryMiB: 512,
    gpu: { kind: 'memory', memoryMiB: 20_000, minMemoryMiB: 40_000 },
  },
  {
    name: 'gpu-mps',
    milliCpu: 500,
    memoryMiB: 512,
    gpu: { kind: 'fraction', milli: 300, sharing: 'mps' },
    preemptible: true,
  },
  {
    name: 'gpu-claim',
    milliCpu: 500,
    memoryMiB: 512,
    gpu: {
      kind: 'claim',
      requests: [{ name: 'pair', class: 'any', count: 2 }],
      constraints: [{ matchAttribute: 'root' }],
    },
  },
  { name: 'gpu-h100', milliCpu: 500, memoryMiB: 512, gpu: { kind: 'whole', count: 1, models: ['H100'] } },
  { name: 'scratch', milliCpu: 500, memoryMiB: 512, ephemeralMiB: 600, milliCreditsPerHour: 300, preemptible: true },
  { name: 'slices', milliCpu: 0, memoryMiB: 0, gpu: { kind: 'slice', profile: 'nvidia.com/mig-3g.40gb', count: 2 } },
  { name: 'slice', milliCpu: 500, memoryMiB: 512, gpu: { kind: 'slice', profile: 'nvidia.com/mig-1g.10gb', count: 1 } },
  { name: 'labelled', milliCpu: 500, memoryMiB: 512, selector: { disk: 'ssd' }, preemptible: true },
  { name: 'tolerant', milliCpu: 500, memoryMiB: 512, tolerations: ['special'] },
];
export const PRESETS = presets.map(({ name }) => name);
export const QUEUES = ['a/x/u', 'a/x/v', 'a/w/u', 'a/y', 'b/z', 'b/w', 'c'];

/** Devices 0 and 2 hang on one root, 1 and 3 on another. */
const ROOTS = Array.from({ length: 4 }, (_, device) => ({ attributes: { root: `r${device % 2}` } }));

export const anyNode = (name: string): fc.Arbitrary<Node> =>
  fc
    .record({
      pool: fc.constantFrom('p', 'q'),
      zone: fc.constantFrom(undefined, 'z1', 'z2'),
      rack: fc.constantFrom(undefined, 'r1', 'r2'),
      nvlink: fc.constantFrom(undefined, 'l1', 'l2'),
      cpus: fc.integer({ min: 0, max: 4 }),
      gib: fc.integer({ min: 0, max: 6 }),
      gpus: fc.integer({ min: 0, max: 4 }),
      pods: fc.integer({ min: 1, max: 6 }),
      model: fc.constantFrom('A100', 'A100', 'H100'),
      scratch: fc.constantFrom(0, 1000),
      slices: fc.constantFrom(0, 0, 2, 3),
      ssd: fc.boolean(),
      tainted: fc.constantFrom(false, false, false, true),
      ready: fc.constantFrom(true, true, true, false),
      cordoned: fc.constantFrom(false, false, false, true),
      drainAt: fc.constantFrom(undefined, undefined, undefined, undefined, undefined, 60, 110),
    })
    .map(({ pool, zone, rack, nvlink, cpus, gib, gpus, model, scratch, pods, slices, ssd, tainted, ...state }) => {
      const { ready, cordoned, drainAt } = state;
      return node({
        name,
        pool,
        ...(zone === undefined ? {} : { zone }),
        ...(rack === undefined ? {} : { rack }),
        ...(nvlink === undefined ? {} : { nvlink }),
        milliCpu: cpus * 1000,
        memoryMiB: gib * 1024,
        ephemeralMiB: scratch,
        pods,
        ...(gpus === 0 ? {} : { gpu: { model, count: gpus, memoryMiB: 40_000, devices: ROOTS } }),
        ...(slices === 0 ? {} : { slices: { 'nvidia.com/mig-1g.10gb': slices, 'nvidia.com/mig-3g.40gb': 3 } }),
        ...(ssd ? { labels: { disk: 'ssd' } } : {}),
        ...(tainted ? { taints: ['special'] } : {}),
        ready,
        cordoned,
        ...(drainAt === undefined ? {} : { drainAt }),
      });
    });

function node(input: NonNullable<SnapshotInput['nodes']>[number]): Node {
  return world({ pools: [{ name: 'p' }, { name: 'q' }], nodes: [input] }).nodes[0] as Node;
}

const anyGroup = fc
  .record({
    preset: fc.constantFrom(...PRESETS, 'gpu-part', 'gpu-mps', 'gpu-mps'),
    count: fc.constantFrom(1, 1, 1, 2, 3),
    elastic: fc.constantFrom(false, false, true),
  })
  .map(({ preset, count, elastic }) => ({ preset, count, ...(elastic && count > 1 ? { min: 1 } : {}) }));

export const anyJob = (id: string): fc.Arbitrary<Job> =>
  fc
    .record({
      queue: fc.constantFrom(...QUEUES),
      priority: fc.constantFrom('low' as const, 'normal' as const, 'normal' as const, 'high' as const),
      submittedAt: fc.integer({ min: 0, max: 50 }),
      groups: fc.oneof(
        { weight: 4, arbitrary: fc.array(anyGroup, { minLength: 1, maxLength: 1 }) },
        { weight: 1, arbitrary: fc.array(anyGroup, { minLength: 2, maxLength: 2 }) },
      ),
      lifeSpanMs: fc.constantFrom(undefined, 50, 200),
      scheduleTimeoutMs: fc.constantFrom(undefined, undefined, undefined, undefined, 40, 120),
      pools: fc.constantFrom([], [], [], ['p'], ['q']),
      volumes: fc.constantFrom([], [], [], ['v1'], ['v1', 'v2']),
      within: fc.constantFrom(
        undefined,
        undefined,
        undefined,
        undefined,
        'rack' as const,
        'zone' as const,
        'node' as const,
        'nvlink' as const,
      ),
      array: fc.constantFrom(undefined, undefined, undefined, { name: 'array', maxRunning: 2 }),
    })
    .map(
      ({ lifeSpanMs, scheduleTimeoutMs, within, array, pools, volumes, ...rest }): Job => ({
        id,
        ...rest,
        pools: [...pools],
        volumes: [...volumes],
        suspended: false,
        ...(lifeSpanMs === undefined ? {} : { lifeSpanMs }),
        ...(scheduleTimeoutMs === undefined ? {} : { scheduleTimeoutMs }),
        ...(within === undefined ? {} : { within }),
        ...(array === undefined ? {} : { array: { ...array, name: `${rest.queue} ${array.name}` } }),
      }),
    );

const anyAmounts = fc.record(
  {
    jobs: fc.integer({ min: 0, max: 4 }),
    milliCpu: fc.integer({ min: 0, max: 6 }).map((n) => n * 1000),
    memoryMiB: fc.integer({ min: 0, max: 6 }).map((n) => n * 1024),
    milliCreditsPerHour: fc.integer({ min: 0, max: 3 }).map((n) => n * 300),
    milliGpu: fc.integer({ min: 0, max: 4 }).map((n) => n * 1000),
  },
  { requiredKeys: [] },
);
const anyCaps = fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: anyAmounts });
const anyLimit = fc.oneof({ weight: 5, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: anyAmounts });
const anyGuarantee = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.record({ milliGpu: fc.integer({ min: 0, max: 3 }).map((n) => n * 1000) }) },
);

const TREE: readonly {
  readonly name: string;
  readonly parent?: string;
  readonly kind: 'organization' | 'project' | 'user';
  readonly person?: string;
}[] = [
  { name: 'a', kind: 'organization' },
  { name: 'a/x', parent: 'a', kind: 'project' },
  { name: 'a/x/u', parent: 'a/x', kind: 'user', person: 'u of a' },
  { name: 'a/x/v', parent: 'a/x', kind: 'user' },
  { name: 'a/w', parent: 'a', kind: 'project' },
  { name: 'a/w/u', parent: 'a/w', kind: 'user', person: 'u of a' },
  { name: 'a/y', parent: 'a', kind: 'project' },
  { name: 'b', kind: 'organization' },
  { name: 'b/z', parent: 'b', kind: 'project' },
  { name: 'b/w', parent: 'b', kind: 'project' },
  { name: 'c', kind: 'organization' },
];

const anyPerson = fc
  .record({ quota: anyCaps, limit: anyLimit })
  .map((given) => ({ name: 'u of a', kind: 'person' as const, weight: 1, guarantee: {}, ...given }));

const anyScopes = fc.tuple(
  anyPerson,
  ...TREE.map((place) =>
    fc
      .record({ quota: anyCaps, limit: anyLimit, guarantee: anyGuarantee, weight: fc.constantFrom(1, 1, 2, 3) })
      .map((given) => ({ ...place, ...given })),
  ),
);

export const anyPolicy = fc.record({
  placement: fc.constantFrom('best-fit', 'best-fit', 'expected-loss'),
  topology: fc.constantFrom('fewest-domains' as const, 'fewest-domains' as const, 'ignore' as const),
  order: fc.constantFrom('drf' as const, 'drf' as const, 'submission' as const),
  historyHalfLifeMs: fc.constantFrom(0, 40),
  reclaim: fc.constantFrom(true, true, false),
  preemption: fc.constantFrom(true, true, false),
  minRunMs: fc.constantFrom(0, 30),
  reserveAfterMs: fc.constantFrom(undefined, 20),
  consolidation: fc.constantFrom(undefined, undefined, { horizonMs: 60_000 }),
  resizing: fc.constantFrom(false, true),
  energyWindows: fc.constantFrom(
    [],
    [],
    [],
    [{ from: 40, until: 70, maxMilliGpu: 2000 }],
    [{ from: 60, until: 100, maxMilliGpu: 0 }],
  ),
});

/** A world in which nothing runs yet; time is 50. */
export function anyWorld(sizes: { readonly nodes: number; readonly jobs: number }): fc.Arbitrary<Snapshot> {
  return fc
    .record({
      nodes: fc
        .integer({ min: 0, max: sizes.nodes })
        .chain((n) => fc.tuple(...Array.from({ length: n }, (_, i) => anyNode(`n${i}`)))),
      jobs: fc
        .integer({ min: 0, max: sizes.jobs })
        .chain((n) => fc.tuple(...Array.from({ length: n }, (_, i) => anyJob(`j${i}`)))),
      scopes: anyScopes,
      guarded: fc.constantFrom(false, false, true),
      policy: anyPolicy,
    })
    .map(({ nodes, jobs, scopes, guarded, policy: { reserveAfterMs, consolidation, energyWindows, ...policy } }) =>
      world({
        now: 50,
        policy: {
          ...policy,
          energyWindows: [...energyWindows],
          ...(reserveAfterMs === undefined ? {} : { reserveAfterMs }),
          ...(consolidation === undefined ? {} : { consolidation }),
        },
        deviceClasses: [{ name: 'any' }],
        pools: [{ name: 'p' }, guarded ? { name: 'q', taints: ['special'], labels: { disk: 'ssd' } } : { name: 'q' }],
        presets: presets ?? [],
        volumes: [
          { name: 'v1', zone: 'z1' },
          { name: 'v2', zone: 'z2' },
        ],
        scopes: [...scopes],
        nodes: [...nodes],
        jobs: [...jobs],
      }),
    );
}
