import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DemandLearner, expectedWaste, NO_DEMAND } from '../../../runtime/placement/src/demand.ts';
import { usableGpu } from '../../../runtime/placement/src/fragmentation.ts';
import { Cluster, isShare, typicalPods, WHOLE_GPU } from '../../../runtime/placement/src/index.ts';
import { node, placements, pod, someNodes, somePods } from './support.ts';

test('usable GPU from tables is what the paper defines, Pod by Pod and GPU by GPU', () => {
  fc.assert(
    fc.property(someNodes, somePods, (nodes, pods) => {
      const cluster = new Cluster(nodes);
      const typical = typicalPods(pods);
      const usable = usableGpu(cluster, typical);
      for (const request of pods) {
        const placement = placements(cluster, request).at(0);
        if (placement !== undefined) cluster.allocate(request, placement);
        nodes.forEach(({ model, gpus }, at) => {
          const free = [...cluster.gpuFree.slice(at * cluster.stride, at * cluster.stride + gpus)];
          const expected = typical.reduce((sum, { request: kind, popularity }) => {
            const fits =
              kind.gpus > 0 &&
              kind.cpuMilli <= (cluster.cpuFree[at] as number) &&
              (kind.models.length === 0 || kind.models.includes(model)) &&
              free.filter((milli) => milli >= kind.gpuMilli).length >= kind.gpus;
            if (!fits) return sum;
            return sum + popularity * free.filter((milli) => milli >= kind.gpuMilli).reduce((a, b) => a + b, 0);
          }, 0);
          expect(usable.node(at)).toBeCloseTo(expected, 6);
        });
      }
    }),
  );
});

describe('typical Pods', () => {
  test('are the most popular that make up 95 %, their popularities sum to 1', () => {
    const workload = [...Array(96).fill(pod()), ...Array(3).fill(pod({ gpuMilli: 500 })), pod({ gpus: 8 })];
    expect(typicalPods(workload)).toEqual([{ request: pod({ memoryMib: 0 }), popularity: 1 }]);
    const all = typicalPods(workload, 1);
    expect(all.map(({ popularity }) => popularity)).toEqual([0.96, 0.03, 0.01]);
  });

  test('are told apart by CPU, GPUs and models, not by memory', () => {
    const workload = [pod(), pod({ memoryMib: 1 }), pod({ models: ['T4'] }), pod({ cpuMilli: 1 })];
    expect(typicalPods(workload, 1).map(({ popularity }) => popularity)).toEqual([0.5, 0.25, 0.25]);
  });
});

describe('expected waste', () => {
  const demand = { ...NO_DEMAND, lessons: 1, cpuPerGpu: 10 };
  test.each([
    ['all of a GPU that nothing fits on', { shares: new Map([[600, 1]]), wholes: 0 }, 0, 500, 500],
    ['what the only share leaves over', { shares: new Map([[600, 1]]), wholes: 0 }, 0, 700, 100],
    [
      'the mean over shares, as often as they come',
      {
        shares: new Map([
          [600, 0.5],
          [700, 0.5],
        ]),
        wholes: 0,
      },
      0,
      700,
      50,
    ],
    ['step by step down', { shares: new Map([[300, 1]]), wholes: 0 }, 0, 1000, 100],
    ['less on an idle GPU the more whole Pods come', { shares: new Map([[900, 0.5]]), wholes: 0.5 }, 0, 1000, 50],
    ['more where few shares come', { shares: new Map([[600, 0.3]]), wholes: 0 }, 0.1, 600, 150],
    ['nothing on an idle GPU before anything is known', { shares: new Map(), wholes: 0 }, 0.1, 1000, 0],
  ])('is %s', (_, rates, idleWeight, free, expected) => {
    expect(expectedWaste({ ...demand, ...rates }, idleWeight)[free]).toBeCloseTo(expected, 9);
  });

  test('lies between nothing and all that is free', () => {
    fc.assert(
      fc.property(somePods, fc.double({ min: 0.001, max: 1, noNaN: true }), (pods, idleWeight) => {
        const learner = new DemandLearner();
        for (let round = 0; round < 33; round += 1) for (const one of pods) learner.arrived(one);
        const outside = [...expectedWaste(learner.learned, idleWeight).entries()].filter(
          ([free, waste]) => !(waste >= 0 && waste <= free + 1e-9),
        );
        expect(outside).toEqual([]);
      }),
    );
  });
});

test('demand is learned from GPU Pods alone, each time their number has doubled', () => {
  const learner = new DemandLearner();
  const lessons: number[] = [];
  for (let count = 1; count <= 130; count += 1) {
    learner.arrived(pod({ gpus: 0, gpuMilli: 0 }));
    learner.arrived(count % 2 === 0 ? pod({ gpuMilli: 500, cpuMilli: 3000 }) : pod({ gpus: 2, cpuMilli: 12_000 }));
    if (learner.learned.lessons > lessons.length) lessons.push(count);
  }
  expect(lessons).toEqual([32, 64, 128]);
  expect(learner.learned).toEqual({
    lessons: 3,
    shares: new Map([[500, 0.5]]),
    wholes: 1,
    several: new Map([[2, 0.8]]),
    cpuPerGpu: 6,
  });
  expect(isShare(pod({ gpuMilli: 500 })) && !isShare(pod({ gpuMilli: WHOLE_GPU }))).toBe(true);
  expect(new Cluster([node()]).cpuCapacity).toBe(96_000);
});
