import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Cluster, type Placement, type PodRequest } from '../../../runtime/placement/src/index.ts';
import { node, placements, pod, someNodes, somePods } from './support.ts';

describe('a cluster refuses what cannot be', () => {
  const cases: readonly (readonly [string, PodRequest, Placement, RegExp])[] = [
    ['more CPU than is free', pod({ cpuMilli: 97_000 }), { node: 0, gpus: [0] }, /CPU or memory/],
    ['more memory than is free', pod({ memoryMib: 400_000 }), { node: 0, gpus: [0] }, /CPU or memory/],
    ['a GPU that the node has not', pod(), { node: 0, gpus: [8] }, /GPU 8/],
    ['a GPU that is partly taken', pod(), { node: 0, gpus: [1] }, /GPU 1/],
    ['more of a GPU than is free', pod({ gpuMilli: 600 }), { node: 0, gpus: [1] }, /GPU 1/],
    ['fewer GPUs than asked for', pod({ gpus: 2 }), { node: 0, gpus: [0] }, /the 2 GPUs/],
    ['one GPU twice', pod({ gpus: 2 }), { node: 0, gpus: [2, 2] }, /the 2 GPUs/],
    ['a node that is not there', pod(), { node: 1, gpus: [0] }, /no node 1/],
  ];
  test.each(cases)('%s', (_, request, placement, words) => {
    const cluster = new Cluster([node()]);
    cluster.allocate(pod({ gpuMilli: 500 }), { node: 0, gpus: [1] });
    const before = [...cluster.gpuFree];
    expect(() => cluster.allocate(request, placement)).toThrow(words);
    expect([...cluster.gpuFree]).toEqual(before);
    expect(cluster.gpuAllocated).toBe(500);
  });

  test('giving back what nobody has taken', () => {
    const cluster = new Cluster([node()]);
    expect(() => cluster.release(pod(), { node: 0, gpus: [0] })).toThrow(RangeError);
  });
});

test('what is given back is as if it had never been taken', () => {
  fc.assert(
    fc.property(someNodes, somePods, (nodes, pods) => {
      const cluster = new Cluster(nodes);
      const held: (readonly [PodRequest, Placement])[] = [];
      for (const request of pods) {
        const placement = placements(cluster, request).at(-1);
        if (placement === undefined) continue;
        cluster.allocate(request, placement);
        held.push([request, placement]);
      }
      for (const [request, placement] of held) cluster.release(request, placement);
      const fresh = new Cluster(nodes);
      for (const field of ['cpuFree', 'memoryFree', 'gpuFree', 'idle', 'largest', 'gpuSum'] as const) {
        expect(cluster[field]).toEqual(fresh[field]);
      }
      expect(cluster.gpuAllocated).toBe(0);
    }),
  );
});

test('whoever looks too late is told to look at everything', () => {
  const cluster = new Cluster([node({ name: 'a' }), node({ name: 'b' })]);
  const seen: number[] = [];
  const look = (since: number): boolean => cluster.changedSince(since, (at) => seen.push(at));
  cluster.allocate(pod(), { node: 1, gpus: [0] });
  expect(look(0)).toBe(true);
  expect(seen).toEqual([1]);
  cluster.allocate(pod(), { node: 0, gpus: [0] });
  cluster.allocate(pod(), { node: 0, gpus: [1] });
  expect(look(0)).toBe(false);
  expect(look(1)).toBe(true);
  expect(seen).toEqual([1, 0, 0]);
});
