import type { Cycle, Decision } from '../model/decision.ts';
import type { Booking, Job, Node, PodPlacement, Scope, Snapshot } from '../model/model.ts';
import type { Pod } from '../policies/gang-request.ts';
import { CORE_PLACEMENTS, type Placements } from '../policies/placement.ts';
import { book, clearBooked, unbook } from '../state/bookings.ts';
import { hold } from '../state/held.ts';
import { templateOf } from '../state/job-class.ts';
import { holdQuota } from '../state/quota-hold.ts';
import { scopeState, scopeTree } from '../state/scope-tree.ts';
import { SchedulerState } from '../state/state.ts';
import type { Touched } from '../state/touches.ts';
import { unguard } from '../waking/guards.ts';
import { Timers } from '../waking/timers.ts';
import { drain, runCycle } from './cycle.ts';

/**
 * The scheduler of one installation: events in, decisions out. It knows no clock; every call says what time it is, and
 * time does not run backwards.
 *
 * A decision depends on the state alone, never on the order in which it came about, so that a scheduler made from
 * `snapshotOf(this)` decides the same. Events cost what they change; the work is done in `cycle`.
 */
export class Scheduler {
  /** For explanations and displays. Only the scheduler changes it. */
  readonly state: SchedulerState;
  readonly #timers = new Timers();
  readonly #pending: Decision[] = [];

  /**
   * @param placements the placement policies that the snapshot may name
   * @throws RangeError where the snapshot contradicts itself, or names a policy that the table lacks; `snapshotFaults`
   * tells all of it with places
   */
  constructor(snapshot: Snapshot, placements: Placements = CORE_PLACEMENTS) {
    const state = new SchedulerState(snapshot.policy, placements);
    this.state = state;
    state.now = snapshot.now;
    for (const pool of snapshot.pools) state.pools.set(pool.name, pool);
    for (const preset of snapshot.presets) state.presets.set(preset.name, preset);
    for (const each of snapshot.deviceClasses ?? []) state.deviceClasses.set(each.name, each);
    for (const volume of snapshot.volumes) state.volumes.set(volume.name, volume);
    for (const scope of scopeTree(snapshot.scopes).values()) state.addScope(scope);
    for (const node of snapshot.nodes) {
      state.putNode(node);
      if (node.drainAt !== undefined) this.#timers.drains.add(node.drainAt, node.name);
    }
    for (const { from, until } of snapshot.policy.energyWindows) {
      for (const at of [from, until]) if (at > state.now) this.#timers.windows.add(at, null);
    }
    for (const booking of snapshot.bookings ?? []) this.#book(booking);
    for (const job of snapshot.jobs) this.#add(job);
    for (const { job, nodes, due, scope: name } of snapshot.reservations) {
      const slot = state.jobs.slotOf(job);
      if (slot === undefined) continue;
      const scope = name === undefined ? undefined : state.scopes.get(name);
      if (scope !== undefined) holdQuota(state, scope, { of: state.jobs.classOf(slot), due });
      if (name !== undefined) continue;
      const numbers = nodes.flatMap((name) => state.nodes.numberOf(name) ?? []);
      hold(state, { of: state.jobs.classOf(slot), nodes: new Set(numbers), due });
    }
    state.touches.begin();
  }

  /** What the last event or cycle touched; nothing, before the first. */
  get touched(): Touched {
    return this.state.touches.report();
  }

  /** A job is submitted. @throws RangeError where its queue or preset is not known, or its id is taken */
  submit(job: Job, now: number): void {
    this.#event(now);
    this.#add(job);
    this.state.touches.job(job.id);
  }

  /** A job has ended or is not wanted any more. False where it is not known. */
  finish(id: string, now: number): boolean {
    this.#event(now);
    const { state } = this;
    const slot = state.jobs.slotOf(id);
    if (slot === undefined) return false;
    const running = state.running.get(slot);
    if (running !== undefined) state.stop(running, false);
    else this.#cancel(slot);
    return true;
  }

  /** A node joins or is another than it was. Its jobs stay. */
  putNode(node: Node, now: number): void {
    this.#event(now);
    this.state.putNode(node);
    if (node.drainAt !== undefined) this.#timers.drains.add(node.drainAt, node.name);
  }

  /** A node is lost; its jobs wait again. Returns their ids. */
  removeNode(name: string, now: number): readonly string[] {
    this.#event(now);
    const node = this.state.nodes.numberOf(name);
    if (node === undefined) return [];
    const lost = [...(this.state.onNode.get(node) ?? [])].sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const job of lost) this.state.stop(job, true);
    this.state.removeNode(node);
    return lost.map(({ id }) => id);
  }

  /** A scope is new. */
  addScope(scope: Scope, now: number): void {
    this.#event(now);
    const parent = scope.parent === undefined ? undefined : this.state.scopes.get(scope.parent);
    if (scope.parent !== undefined && parent === undefined) throw new RangeError(`there is no scope ${scope.parent}`);
    const person = scope.person === undefined ? undefined : this.state.scopes.get(scope.person);
    if (scope.person !== undefined && person?.spec.kind !== 'person')
      throw new RangeError(`there is no person ${scope.person}`);
    const made = scopeState(scope, parent, person);
    parent?.children.push(made);
    this.state.addScope(made);
  }

  /**
   * Nodes are reserved for a scope, or a reservation of that name is another than it was. @throws RangeError where the
   * scope is not known
   */
  book(booking: Booking, now: number): void {
    this.#event(now);
    this.#book(booking);
  }

  /** A reservation is given up. False where it is not known. */
  unbook(name: string, now: number): boolean {
    this.#event(now);
    return unbook(this.state, name);
  }

  /** Decides about everything that may have changed since the last cycle. */
  cycle(now: number): Cycle {
    this.#advance(now);
    this.state.touches.beginCycle();
    // Sorted: things that are due at the same instant have no order of their own.
    for (const id of this.#timers.timeouts.take(now).toSorted()) this.#expire(id);
    for (const name of this.#timers.drains.take(now).toSorted()) this.#drain(name);
    for (const name of this.#timers.bookings.take(now).toSorted()) this.#bookingTurns(name);
    if (this.#timers.windows.take(now).length > 0) this.state.attention.wakeAll(this.state.attention.sleepers.all);
    this.state.order?.ripen(now);
    this.#timers.movable.take(now);
    for (const of of this.#timers.takeWakes(now)) this.state.attention.wake(of);
    unguard(this.state);
    const cycle = runCycle(this.state, this.#timers, this.#pending);
    this.#pending.length = 0;
    return cycle;
  }

  #advance(now: number): void {
    if (now < this.state.now) throw new RangeError(`time ran backwards, from ${this.state.now} to ${now}`);
    this.state.now = now;
  }

  #event(now: number): void {
    this.#advance(now);
    this.state.touches.begin();
  }

  #add(job: Job): void {
    const { state } = this;
    if (state.jobs.slotOf(job.id) !== undefined) throw new RangeError(`there is a job ${job.id} already`);
    const of = state.classOf(templateOf(job));
    if (of.queue.spec.kind === 'person') throw new RangeError(`${job.queue} is a person: jobs go to places of theirs`);
    if (of.queue.children.length > 0) throw new RangeError(`${job.queue} has scopes below it: jobs go to those`);
    const slot = state.jobs.add(job.id, job.submittedAt, of);
    if (job.running === undefined) {
      if (job.suspended) state.suspended.add(slot);
      state.enqueue(slot);
      if (job.scheduleTimeoutMs !== undefined)
        this.#timers.timeouts.add(job.submittedAt + job.scheduleTimeoutMs, job.id);
      return;
    }
    const sizes = of.groups.map((_, g) => job.running?.pods.filter(({ group }) => group === g).length ?? 0);
    const pods = job.running.pods.map((pod) => this.#place(pod, job));
    state.restore(slot, of, sizes, pods, job.running.startedAt, job.running.grewAt);
  }

  #book(booking: Booking): void {
    book(this.state, booking);
    for (const at of [booking.from, booking.until]) this.#timers.bookings.add(at, booking.name);
  }

  #bookingTurns(name: string): void {
    const booked = this.state.bookings.get(name);
    if (booked === undefined) return;
    if (booked.spec.until <= this.state.now) unbook(this.state, name);
    else if (booked.spec.from <= this.state.now) this.#pending.push(...clearBooked(this.state, booked));
  }

  #place(pod: PodPlacement, job: Job): Pod {
    const node = this.state.nodes.numberOf(pod.node);
    const shape = this.state.classOf(templateOf(job)).groups[pod.group]?.shape;
    if (node === undefined) throw new RangeError(`job ${job.id} runs on an unknown node ${pod.node}`);
    if (shape === undefined) throw new RangeError(`job ${job.id} has no group ${pod.group}`);
    return { group: pod.group, node, gpus: this.state.nodes.take(node, shape, pod.gpus) };
  }

  #cancel(slot: number): void {
    this.state.touches.job(this.state.jobs.ids[slot] as string);
    this.state.dequeue(slot);
    this.state.suspended.delete(slot);
    this.state.jobs.remove(slot);
  }

  #expire(id: string): void {
    const { state } = this;
    const slot = state.jobs.slotOf(id);
    if (slot === undefined || state.running.has(slot) || state.suspended.has(slot)) return;
    const of = state.jobs.classOf(slot);
    const limit = of.template.scheduleTimeoutMs;
    if (limit === undefined || state.jobs.submittedAt(slot) + limit > state.now) return;
    this.#pending.push({ kind: 'expire', job: id, queue: of.queue.spec.name });
    this.#cancel(slot);
  }

  #drain(name: string): void {
    const node = this.state.nodes.numberOf(name);
    const drainAt = node === undefined ? undefined : this.state.nodes.specs[node]?.drainAt;
    if (node === undefined || drainAt === undefined || drainAt > this.state.now) return;
    this.state.nodes.reconsider(node);
    this.state.reclose(node);
    this.#pending.push(...drain(this.state, [node]));
  }
}
