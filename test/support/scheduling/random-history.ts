import fc from 'fast-check';
import {
  type Booking,
  type Decision,
  type Job,
  type Node,
  Scheduler,
  type Snapshot,
  snapshotOf,
} from '../../../runtime/scheduling/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import { lines } from './jobs.ts';
import { anyJob, anyNode, anyWorld } from './random-world.ts';

/** What happens to a cluster as time passes. */
type Event =
  | { readonly kind: 'submit'; readonly job: Job }
  | { readonly kind: 'finish'; readonly nth: number }
  | { readonly kind: 'node'; readonly node: Node }
  | { readonly kind: 'lose'; readonly nth: number }
  | {
      readonly kind: 'book';
      readonly booking: Omit<Booking, 'from' | 'until'>;
      readonly in: number;
      readonly for: number;
    }
  | { readonly kind: 'unbook'; readonly name: string }
  | { readonly kind: 'wait' };

/** Cycles after the last event, each at the instant that the one before asked for. */
const MORE = 5;

export interface Step {
  readonly after: number;
  readonly event: Event;
}

const anyStep = (index: number): fc.Arbitrary<Step> =>
  fc.record({
    after: fc.constantFrom(0, 1, 10, 35),
    event: fc.oneof(
      { weight: 4, arbitrary: anyJob(`s${index}`).map((job) => ({ kind: 'submit' as const, job })) },
      { weight: 4, arbitrary: fc.nat(20).map((nth) => ({ kind: 'finish' as const, nth })) },
      {
        weight: 1,
        arbitrary: fc
          .nat(4)
          .chain((n) => anyNode(`n${n}`))
          .map((node) => ({ kind: 'node' as const, node })),
      },
      { weight: 1, arbitrary: fc.nat(4).map((nth) => ({ kind: 'lose' as const, nth })) },
      {
        weight: 2,
        arbitrary: fc
          .record({
            name: fc.constantFrom('launch', 'exam'),
            scope: fc.constantFrom('a', 'a/x/u', 'c'),
            nodes: fc.constantFrom(['n0'], ['n1', 'n2'], ['n0', 'n1', 'n2', 'n3']),
            in: fc.constantFrom(0, 10, 60),
            for: fc.constantFrom(20, 50),
          })
          .map(({ in: after, for: length, nodes, ...booking }) => ({
            kind: 'book' as const,
            booking: { ...booking, nodes: [...nodes] },
            in: after,
            for: length,
          })),
      },
      { weight: 1, arbitrary: fc.constant({ kind: 'unbook' as const, name: 'launch' }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'wait' as const }) },
    ),
  });

export const anyHistory = fc
  .record({
    world: anyWorld({ nodes: 4, jobs: 6 }),
    length: fc.integer({ min: 1, max: 12 }),
  })
  .chain(({ world, length }) =>
    fc.record({
      world: fc.constant(world),
      steps: fc.tuple(...Array.from({ length }, (_, index) => anyStep(index))),
    }),
  );

/** Histories with other jobs in the place of theirs. */
export function reshaped(job: (own: Job) => Job, facts: Partial<Snapshot> = {}): typeof anyHistory {
  return anyHistory.map(({ world, steps }) => ({
    world: { ...world, ...facts, jobs: world.jobs.map(job) },
    steps: steps.map((each) =>
      each.event.kind === 'submit' ? { ...each, event: { ...each.event, job: job(each.event.job) } } : each,
    ),
  }));
}

/** Whether something happened. */
function happen(scheduler: Scheduler, { event }: Step, now: number): boolean {
  switch (event.kind) {
    case 'submit':
      scheduler.submit({ ...event.job, submittedAt: now }, now);
      return true;
    case 'finish': {
      const jobs = snapshotOf(scheduler).jobs;
      const job = jobs[event.nth % Math.max(1, jobs.length)];
      return job !== undefined && scheduler.finish(job.id, now);
    }
    case 'node': {
      // What runs there must still have its devices.
      const busy = snapshotOf(scheduler).jobs.some(({ running }) =>
        running?.pods.some(({ node }) => node === event.node.name),
      );
      if (!busy) scheduler.putNode(event.node, now);
      return !busy;
    }
    case 'lose': {
      const nodes = snapshotOf(scheduler).nodes;
      const node = nodes[event.nth % Math.max(1, nodes.length)];
      if (node !== undefined) scheduler.removeNode(node.name, now);
      return node !== undefined;
    }
    case 'book':
      scheduler.book({ ...event.booking, from: now + event.in, until: now + event.in + event.for }, now);
      return true;
    case 'unbook':
      return scheduler.unbook(event.name, now);
    case 'wait':
      return false;
  }
}

/**
 * Runs a history and hands every cycle to a judge, with the state before it; every event to another one, with the state
 * before that.
 */
export function play(
  { world, steps }: { readonly world: Snapshot; readonly steps: readonly Step[] },
  judge: (
    before: Snapshot,
    decided: readonly string[],
    scheduler: Scheduler,
    decisions: readonly Decision[],
    next: number | undefined,
  ) => void,
  judgeEvent?: (before: Snapshot, scheduler: Scheduler) => void,
): void {
  const scheduler = new Scheduler(world, PLACEMENTS);
  let now = world.now;
  let due: number | undefined;
  const cycle = (): void => {
    const before = { ...snapshotOf(scheduler), now };
    const { decisions, next } = scheduler.cycle(now);
    due = next;
    judge(before, lines(decisions), scheduler, decisions, next);
  };
  cycle();
  for (const step of steps) {
    now += step.after;
    const before = judgeEvent === undefined ? undefined : snapshotOf(scheduler);
    if (happen(scheduler, step, now) && before !== undefined) judgeEvent?.(before, scheduler);
    cycle();
  }
  // Then time passes, and nothing happens.
  for (let n = 0; n < MORE && due !== undefined && due > now; n += 1) {
    now = due;
    cycle();
  }
}
