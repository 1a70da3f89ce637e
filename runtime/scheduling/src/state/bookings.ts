import type { Preempt } from '../model/decision.ts';
import type { Booking } from '../model/model.ts';
import { wakeForRoom } from '../waking/wakes.ts';
import { isWithin } from './scope-tree.ts';
import type { Booked, World } from './world.ts';

/** @throws RangeError where its scope is not known */
export function book(state: World, spec: Booking): void {
  const scope = state.scopes.get(spec.scope);
  if (scope === undefined) throw new RangeError(`there is no scope ${spec.scope}`);
  const before = state.bookings.get(spec.name);
  state.bookings.set(spec.name, { spec, scope, nodes: new Set(spec.nodes) });
  reclose(state, [...spec.nodes, ...(before?.spec.nodes ?? [])]);
}

/** Opens its nodes to all. */
export function unbook(state: World, name: string): boolean {
  const booked = state.bookings.get(name);
  if (booked === undefined) return false;
  state.bookings.delete(name);
  reclose(state, booked.spec.nodes);
  return true;
}

function reclose(state: World, names: readonly string[]): void {
  const nodes = names.flatMap((name) => state.nodes.numberOf(name) ?? []);
  for (const node of nodes) {
    state.reclose(node);
    state.nodes.reconsider(node);
  }
  for (const node of nodes) wakeForRoom(state, node);
}

/** As a reservation begins, preemptible jobs of others leave its nodes: they were there before it was made. */
export function clearBooked(state: World, { spec, scope, nodes }: Booked): readonly Preempt[] {
  const there = new Set([...nodes].flatMap((name) => [...(state.onNode.get(state.nodes.numberOf(name) ?? -1) ?? [])]));
  const leaving = [...there].filter(({ of }) => of.preemptible && !isWithin(of.queue, scope));
  return leaving
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((job) => {
      state.stop(job, true);
      return {
        kind: 'preempt',
        job: job.id,
        queue: job.of.queue.spec.name,
        for: null,
        rule: 'reservation',
        text: `reservation ${spec.name} of its nodes for ${spec.scope} begins`,
      };
    });
}
