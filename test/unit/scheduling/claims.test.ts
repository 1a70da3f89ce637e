import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Node, Preset, Snapshot, SnapshotInput } from '../../../runtime/scheduling/src/index.ts';
import { hasRoom, satisfies, subsets } from '../../support/scheduling/checker.ts';
import { decided, world } from '../../support/scheduling/jobs.ts';
import { jobOf } from '../../support/scheduling/what-if.ts';

type Claim = Extract<NonNullable<NonNullable<SnapshotInput['presets']>[number]['gpu']>, { kind: 'claim' }>;

const anySelector = fc.oneof(
  fc.record({
    attribute: fc.constantFrom('root', 'numa', 'speed'),
    in: fc.constantFrom<[string | number]>(['0'], ['1'], [2]),
  }),
  fc.record({ attribute: fc.constantFrom('root', 'numa'), notIn: fc.constantFrom<[string]>(['0'], ['1']) }),
  fc.record({ attribute: fc.constant('speed'), atLeast: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ attribute: fc.constant('memoryMiB'), atMost: fc.constantFrom(39_999, 40_000) }),
  fc.record({ attribute: fc.constantFrom('speed', 'nobody') }),
);

const anyClaim: fc.Arbitrary<Claim> = fc
  .record({
    requests: fc.array(
      fc.record({
        class: fc.constantFrom('any', 'fast'),
        selectors: fc.array(anySelector, { maxLength: 1 }),
        count: fc.integer({ min: 1, max: 2 }),
        all: fc.constantFrom(false, false, true),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    match: fc.constantFrom(undefined, 'root', 'numa', 'speed'),
    among: fc.constantFrom(undefined, 'r0'),
  })
  .map(({ requests, match, among }) => ({
    kind: 'claim',
    requests: requests.map(({ class: of, selectors, count, all }, r) => ({
      name: `r${r}`,
      class: of,
      selectors,
      ...(all ? { allocationMode: 'All' as const, upTo: 2 * count } : { count }),
    })),
    ...(match === undefined
      ? {}
      : { constraints: [{ matchAttribute: match, ...(among === undefined ? {} : { requests: [among] }) }] }),
  }));

const anyDevices = fc.array(
  fc.record({
    root: fc.constantFrom('0', '1'),
    numa: fc.constantFrom('0', '1'),
    speed: fc.constantFrom('1', '2', 'fast'),
  }),
  { minLength: 1, maxLength: 5 },
);

test('a claim gets devices that satisfy it wherever some of the idle ones do', () => {
  const met = { starts: 0, waits: 0 };
  fc.assert(
    fc.property(anyClaim, anyDevices, fc.array(fc.nat(4), { maxLength: 2 }), (claim, devices, busy) => {
      const used = [...new Set(busy)].filter((device) => device < devices.length);
      const input: SnapshotInput = {
        pools: [{ name: 'p' }],
        deviceClasses: [{ name: 'any' }, { name: 'fast', selectors: [{ attribute: 'speed', atLeast: 2 }] }],
        nodes: [
          {
            name: 'n',
            pool: 'p',
            milliCpu: 1000,
            memoryMiB: 1,
            gpu: {
              model: 'A100',
              count: devices.length,
              memoryMiB: 40_000,
              devices: devices.map((attributes) => ({ attributes })),
            },
          },
        ],
        presets: [
          { name: 'one', milliCpu: 0, memoryMiB: 0, gpu: { kind: 'whole', count: 1 } },
          { name: 'claims', milliCpu: 0, memoryMiB: 0, gpu: claim },
        ],
        scopes: [{ name: 'o' }],
        jobs: [
          ...used.map((device) => ({
            id: `busy-${device}`,
            queue: 'o',
            submittedAt: 0,
            groups: [{ preset: 'one' }],
            running: { startedAt: 0, pods: [{ group: 0, node: 'n', gpus: [device] }] },
          })),
          { id: 'claims', queue: 'o', submittedAt: 0, groups: [{ preset: 'claims' }] },
        ],
      };
      const given = world(input);
      const [preset, node] = [given.presets[1], given.nodes[0] as Node];
      if (preset === undefined) return;
      const idle = devices.flatMap((_, device) => (used.includes(device) ? [] : [device]));
      const could = subsets(idle).some((some) => satisfies(given, preset, node, some));
      const start = decided(input).cycle.decisions.find(({ kind }) => kind === 'start');
      expect(start !== undefined).toBe(could);
      met[could ? 'starts' : 'waits'] += 1;
      if (start?.kind === 'start') expect(satisfies(given, preset, node, start.pods[0]?.gpus ?? [])).toBe(true);
    }),
    { numRuns: 500 },
  );
  expect(Math.min(met.starts, met.waits)).toBeGreaterThan(50);
});

/** The most replicas that devices can be dealt out to, by trying every way. */
function mostOf(given: Snapshot, preset: Preset, node: Node, idle: readonly number[]): number {
  const hands = subsets(idle).filter((some) => some.length > 0 && satisfies(given, preset, node, some));
  const rest = (left: readonly number[]): number =>
    Math.max(
      0,
      ...hands
        .filter((hand) => hand.every((device) => left.includes(device)))
        .map((hand) => 1 + rest(left.filter((device) => !hand.includes(device)))),
    );
  return rest(idle);
}

test('a gang of replicas that claim the same has room wherever devices can be dealt out to all', () => {
  const met = { starts: 0, waits: 0 };
  fc.assert(
    fc.property(anyClaim, anyDevices, fc.integer({ min: 2, max: 3 }), (claim, devices, count) => {
      const input: SnapshotInput = {
        pools: [{ name: 'p' }],
        deviceClasses: [{ name: 'any' }, { name: 'fast', selectors: [{ attribute: 'speed', atLeast: 2 }] }],
        nodes: [
          {
            name: 'n',
            pool: 'p',
            milliCpu: 0,
            memoryMiB: 0,
            gpu: {
              model: 'A100',
              count: devices.length,
              memoryMiB: 40_000,
              devices: devices.map((attributes) => ({ attributes })),
            },
          },
        ],
        presets: [{ name: 'claims', milliCpu: 0, memoryMiB: 0, gpu: claim }],
        scopes: [{ name: 'o' }],
        jobs: [{ id: 'gang', queue: 'o', submittedAt: 0, groups: [{ preset: 'claims', count }] }],
      };
      const given = world(input);
      const [preset, node] = [given.presets[0] as Preset, given.nodes[0] as Node];
      const could =
        mostOf(
          given,
          preset,
          node,
          devices.map((_, device) => device),
        ) >= count;
      const start = decided(input).cycle.decisions.find(({ kind }) => kind === 'start');
      expect(start !== undefined).toBe(could);
      met[could ? 'starts' : 'waits'] += 1;
      if (start?.kind !== 'start') return;
      for (const { gpus } of start.pods) expect(satisfies(given, preset, node, gpus)).toBe(true);
      const all = start.pods.flatMap(({ gpus }) => gpus);
      expect(new Set(all).size).toBe(all.length);
    }),
    { numRuns: 800 },
  );
  expect(Math.min(met.starts, met.waits)).toBeGreaterThan(15);
});

test('a gang of unequal replicas, one of which claims devices, has room wherever brute force finds some', () => {
  const met = { starts: 0, waits: 0 };
  const anyPair = fc.record({
    count: fc.integer({ min: 1, max: 2 }),
    class: fc.constantFrom('fast', 'any'),
    match: fc.boolean(),
    other: fc.constantFrom('whole' as const, 'claim' as const, 'fraction' as const),
    others: fc.integer({ min: 1, max: 2 }),
    replicas: fc.integer({ min: 1, max: 2 }),
  });
  fc.assert(
    fc.property(anyDevices, anyDevices, anyPair, (one, two, { count, class: of, match, other, others, replicas }) => {
      const beside: NonNullable<SnapshotInput['presets']>[number]['gpu'] =
        other === 'whole'
          ? { kind: 'whole', count: others }
          : other === 'claim'
            ? { kind: 'claim', requests: [{ name: 'q', class: 'fast', count: others }] }
            : { kind: 'fraction', milli: 600 };
      const claim: Claim = {
        kind: 'claim',
        requests: [{ name: 'r', class: of, count }],
        ...(match ? { constraints: [{ matchAttribute: 'root' }] } : {}),
      };
      const input: SnapshotInput = {
        pools: [{ name: 'p' }],
        deviceClasses: [{ name: 'any' }, { name: 'fast', selectors: [{ attribute: 'speed', atLeast: 2 }] }],
        nodes: [one, two.slice(0, 2)].map((devices, n) => ({
          name: `n${n}`,
          pool: 'p',
          milliCpu: 0,
          memoryMiB: 0,
          gpu: {
            model: 'A100',
            count: devices.length,
            memoryMiB: 40_000,
            devices: devices.map((attributes) => ({ attributes })),
          },
        })),
        presets: [
          { name: 'claims', milliCpu: 0, memoryMiB: 0, gpu: claim },
          { name: 'beside', milliCpu: 0, memoryMiB: 0, gpu: beside },
        ],
        scopes: [{ name: 'o' }],
        jobs: [
          {
            id: 'gang',
            queue: 'o',
            submittedAt: 0,
            groups: [{ preset: 'claims', count: replicas }, { preset: 'beside' }],
          },
        ],
      };
      const given = world(input);
      const could = hasRoom(given, jobOf(given, 'gang'), [replicas, 1]);
      expect(decided(input).lines.length > 0).toBe(could);
      met[could ? 'starts' : 'waits'] += 1;
    }),
    { numRuns: 800 },
  );
  expect(Math.min(met.starts, met.waits)).toBeGreaterThan(50);
});
