import { expect, test } from 'vitest';
import { Planner } from '../../../../runtime/service/src/scheduler/planner.ts';
import { explainWaiting } from '../../../../runtime/service/src/scheduler/waiting.ts';
import { facts, GIB, job, NOW, NVIDIA, needs, node, running } from '../../../support/service/planner.ts';

test('of jobs that ask for the same, only the one that has a node kept is told what would do with that', () => {
  const resources = (gpus: number) => needs(1, GIB, { [NVIDIA]: gpus });
  const presets = [1, 2].map((gpus) => ({ name: `gpu-${gpus}`, resources: resources(gpus), pools: [] }));
  const big = (age: number) => job({ preset: 'gpu-2', resources: resources(2), age });
  const [first, second] = [big(90), big(80)];
  const made = new Planner(
    facts({}, presets),
    [node('a', { extended: { [NVIDIA]: 2 } })],
    [running(job({ preset: 'gpu-1', resources: resources(1) }), 'a'), first, second],
    NOW,
  );
  expect(made.decide(NOW).admissions).toEqual([]);
  for (const ids of [[first.id, second.id], [second.id, first.id], [second.id], [first.id]]) {
    const { waiting, left } = explainWaiting(made, ids);
    expect(waiting.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    expect(left).toEqual([]);
    for (const { id, description } of waiting) {
      if (id === first.id) expect(description).toMatch(/would start now with preset gpu-1/);
      else expect(description).not.toMatch(/would start/);
    }
  }
});
