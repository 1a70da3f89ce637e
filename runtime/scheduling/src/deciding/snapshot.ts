import type { Cycle } from '../model/decision.ts';
import type { Job, Snapshot } from '../model/model.ts';
import type { Placements } from '../policies/placement.ts';
import { reservationsOf } from '../state/held.ts';
import { quotaReservations } from '../state/quota-hold.ts';
import { Scheduler } from './scheduler.ts';

/** The whole state as one plain document, things in the order of their names: equal states give equal documents. */
export function snapshotOf(scheduler: Scheduler): Snapshot {
  const { state } = scheduler;
  const jobs: Job[] = [];
  for (const of of state.classes.values()) {
    for (const slot of of.pending.values()) {
      jobs.push({
        id: state.jobs.ids[slot] as string,
        submittedAt: state.jobs.submittedAt(slot),
        ...of.template,
        suspended: state.suspended.has(slot),
      });
    }
  }
  for (const job of state.running.values()) {
    const pods = job.pods.map(({ group, node, gpus }) => ({ group, node: state.nodes.name(node), gpus: [...gpus] }));
    jobs.push({
      id: job.id,
      submittedAt: job.submittedAt,
      ...job.of.template,
      suspended: false,
      running: { startedAt: job.startedAt, pods, ...(job.grewAt === undefined ? {} : { grewAt: job.grewAt }) },
    });
  }
  return {
    version: 1,
    now: state.now,
    policy: state.policy,
    pools: named(state.pools.values()),
    nodes: named(state.nodes.specs.filter((spec) => spec !== undefined)),
    presets: named(state.presets.values()),
    scopes: named(
      [...state.scopes.values()].map(({ spec, history, historyAt }) =>
        state.policy.historyHalfLifeMs === 0 ? spec : { ...spec, history: [...history], historyAt },
      ),
    ),
    volumes: named(state.volumes.values()),
    jobs: jobs.sort((a, b) => (a.id < b.id ? -1 : 1)),
    reservations: [...reservationsOf(state), ...quotaReservations(state)],
    ...(state.bookings.size === 0 ? {} : { bookings: named([...state.bookings.values()].map(({ spec }) => spec)) }),
    ...(state.deviceClasses.size === 0 ? {} : { deviceClasses: named(state.deviceClasses.values()) }),
  };
}

/** Decides on a snapshot from scratch. */
export function decide(snapshot: Snapshot, placements?: Placements): Cycle {
  return new Scheduler(snapshot, placements).cycle(snapshot.now);
}

function named<T extends { readonly name: string }>(things: Iterable<T>): T[] {
  return [...things].sort((a, b) => (a.name < b.name ? -1 : 1));
}
