import type { JobDesire, ToAgent } from '@delos/core';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Desires } from '../../../../runtime/service/src/api/agents/desires.ts';
import { POD_SPEC } from '../../../support/service/pod-spec.ts';
import { quiet } from '../../../support/service/postgres.ts';

/** What is desired, reads of it that are answered when the test says, and an agent that believes what it is told. */
class World {
  readonly store = new Map<string, JobDesire>();
  readonly agent = new Map<string, JobDesire>();
  readonly told: ToAgent[] = [];
  readonly desires = new Desires({
    kind: 'job',
    list: () => this.#read([...this.store.values()]),
    find: (ids) => this.#read(ids.flatMap((id) => this.store.get(id) ?? [])),
    send: async (message) => this.#hear(message),
    log: quiet,
  });
  readonly #reads: { readonly answer: () => void; readonly fail: () => void }[] = [];
  #revision = 0;

  change(jobId: string, action: JobDesire['spec']['action'] | 'gone'): void {
    this.#revision += 1;
    if (action === 'gone') this.store.delete(jobId);
    else {
      this.store.set(jobId, {
        kind: 'job',
        id: jobId,
        revision: this.#revision,
        spec: { action, graceSeconds: 15, run: 0, podUid: null, pod: POD_SPEC },
      });
    }
    this.desires.tell(jobId);
  }

  get reads(): number {
    return this.#reads.length;
  }

  /** @param which of the reads that are not answered yet, the oldest is 0 */
  async answer(which: number, how: 'answer' | 'fail' = 'answer'): Promise<void> {
    const [read] = this.#reads.splice(which % Math.max(1, this.#reads.length), 1);
    read?.[how]();
    await vi.advanceTimersByTimeAsync(0);
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 100; turn += 1) {
      while (this.reads > 0) await this.answer(0);
      await vi.advanceTimersByTimeAsync(1_000);
      if (this.reads === 0) return;
    }
    throw new Error('it reads on and on');
  }

  /** What is seen is what was there when the read began. */
  async *#read(jobs: readonly JobDesire[]): AsyncGenerator<readonly JobDesire[]> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#reads.push({ answer: () => resolve(), fail: () => reject(new Error('connection lost')) });
    await promise;
    for (const job of jobs) yield [job];
  }

  #hear(message: ToAgent): void {
    this.told.push(message);
    if (message.type === 'sync') {
      const named = new Set<string>(message.ids);
      for (const id of this.agent.keys()) if (!named.has(id)) this.agent.delete(id);
    }
    if (message.type === 'desire' && message.desire.kind === 'job') this.agent.set(message.desire.id, message.desire);
    if (message.type === 'forget') this.agent.delete(message.id);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a list that was read before a job came is told before the job', async () => {
  const world = new World();
  world.desires.tellAll();
  world.change('job-1', 'run');
  await world.settle();
  expect(world.told.map(({ type }) => type)).toEqual(['sync', 'desire']);
  expect([...world.agent.keys()]).toEqual(['job-1']);
});

test('what changes during a read is read together after it', async () => {
  const world = new World();
  world.change('job-1', 'run');
  for (const id of ['job-1', 'job-2', 'job-3']) world.change(id, 'stop');
  expect(world.reads).toBe(1);
  await world.answer(0);
  expect(world.reads).toBe(1);
  await world.answer(0);
  expect(world.reads).toBe(0);
  expect(world.told.length).toBe(4);
});

test.each(['tell', 'tellAll'] as const)('%s: a read that fails is made again', async (how) => {
  const world = new World();
  world.store.set('job-1', {
    kind: 'job',
    id: 'job-1',
    revision: 1,
    spec: { action: 'run', graceSeconds: 15, run: 0, podUid: null, pod: POD_SPEC },
  });
  world.desires[how]('job-1');
  await world.answer(0, 'fail');
  expect(world.reads).toBe(0);
  await world.settle();
  expect([...world.agent.keys()]).toEqual(['job-1']);
});

test('once it has ended nothing is read or told', async () => {
  const world = new World();
  world.desires.tellAll();
  world.desires.end();
  world.change('job-1', 'run');
  await world.settle();
  expect(world.reads).toBe(0);
  world.desires.tell('job-1');
  expect(world.reads).toBe(0);
});

const step = fc.oneof(
  fc.record({ change: fc.constantFrom('job-1', 'job-2'), to: fc.constantFrom('run', 'stop', 'remove', 'gone') }),
  fc.record({ answer: fc.nat(3), how: fc.constantFrom('answer', 'answer', 'fail') }),
  fc.constant('sync' as const),
  fc.constant('second' as const),
);

test('law: the agent is never told what is older than it knows, and in the end knows what is desired', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const world = new World();
      const known = new Map<string, number>();
      for (const each of steps) {
        if (each === 'sync') world.desires.tellAll();
        else if (each === 'second') await vi.advanceTimersByTimeAsync(1_000);
        else if ('change' in each) world.change(each.change, each.to);
        else await world.answer(each.answer, each.how);
        for (const { id, revision } of world.agent.values()) {
          expect(revision).toBeGreaterThanOrEqual(known.get(id) ?? 0);
          known.set(id, revision);
        }
      }
      await world.settle();
      expect(world.agent).toEqual(world.store);
    }),
    { numRuns: 300 },
  );
});
