import type { ToAgent } from '@delos/core';
import { expect, test } from 'vitest';
import type { Keeper, KeeperContext } from '../../../../runtime/service/src/agent/keeper.ts';
import { Keepers } from '../../../../runtime/service/src/agent/keepers.ts';
import { POD_SPEC } from '../../../support/service/pod-spec.ts';

const JOB = 'job-00000000-0000-4000-8000-000000000001';
const DESIRE = {
  kind: 'job',
  id: JOB,
  revision: 1,
  spec: {
    action: 'run',
    graceSeconds: 15,
    run: 0,
    podUid: null,
    pod: POD_SPEC,
  },
} as const;

/** A keeper that writes down what it is told, in the place of the one that makes Pods. */
function recorded(): { readonly keepers: Keepers; readonly calls: readonly (readonly unknown[])[] } {
  const calls: (readonly unknown[])[] = [];
  const told =
    (name: string) =>
    (...args: readonly unknown[]): void => {
      calls.push([name, ...args]);
    };
  const keeper: Keeper<'job'> = {
    kind: 'job',
    sync: told('sync'),
    desire: told('desire'),
    forget: told('forget'),
    ack: told('ack'),
    sweep: told('sweep'),
    size: 3,
  };
  const part = { keeper, run: async () => undefined, problem: () => 'the Pods are not listed yet' };
  // The other kind is told nothing.
  const silent = Object.fromEntries(Object.keys(keeper).map((name) => [name, () => undefined]));
  const other = { ...part, keeper: { ...silent, kind: 'disk' } as unknown as Keeper<'disk'>, problem: () => undefined };
  return { keepers: new Keepers({} as KeeperContext, { job: () => part, disk: () => other }), calls };
}

test.each<[Exclude<ToAgent, { type: 'stream' }>, readonly unknown[]]>([
  [
    { type: 'desire', desire: { ...DESIRE, spec: { ...DESIRE.spec, pod: { ...DESIRE.spec.pod } } } },
    ['desire', DESIRE],
  ],
  [{ type: 'sync', kind: 'job', ids: [JOB] }, ['sync', [JOB]]],
  [{ type: 'forget', kind: 'job', id: JOB }, ['forget', JOB]],
  [{ type: 'ack', kind: 'job', id: JOB, seq: 7 }, ['ack', JOB, 7]],
])('a message goes to the keeper of its kind: %j', (message, call) => {
  const { keepers, calls } = recorded();
  keepers.hear(message);
  expect(calls).toEqual([call]);
});

test('all keepers are swept, and what keeps one from its work is told', () => {
  const { keepers, calls } = recorded();
  keepers.sweep();
  expect(calls).toEqual([['sweep']]);
  expect(keepers.problem).toBe('the Pods are not listed yet');
  expect(keepers.sizes[0]).toEqual(['job', 3]);
  expect(keepers.podOf(JOB)).toBeUndefined();
});
