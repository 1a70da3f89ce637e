import { describeClass } from '../answers/describe.ts';
import type { DeviceClass, Node, Policy, Pool, Preset, Volume } from '../model/model.ts';
import { addTo } from '../model/quantities.ts';
import { shapeKey, shapeOf, type Whereabouts } from '../model/shapes.ts';
import { recordUse, type ShareContext } from '../policies/fairness.ts';
import { inOrder, type Pod } from '../policies/gang-request.ts';
import { Loans } from '../policies/lending.ts';
import { type PlacementPolicy, type Placements, placementFor, placementNamed } from '../policies/placement.ts';
import type { QuotaContext } from '../policies/quota.ts';
import { Agenda } from '../waking/agenda.ts';
import { Attention } from '../waking/attention.ts';
import { isBooked } from '../waking/closed.ts';
import { guard } from '../waking/guards.ts';
import { wakeAfter, wakeForRoom, wakeOnNodes } from '../waking/wakes.ts';
import { book } from './book.ts';
import type { JobClass, JobTemplate, ScopeState } from './entities.ts';
import { hold } from './held.ts';
import { amountsOf, classKey } from './job-class.ts';
import { JobTable } from './job-table.ts';
import { capacityOf, NodeTable } from './node-table.ts';
import { holdQuota } from './quota-hold.ts';
import type { RunningJob } from './running-job.ts';
import { ShapeIndex } from './shape-index.ts';
import { Touches } from './touches.ts';
import { WaitingOrder } from './waiting-order.ts';
import type { Booked, Held, QuotaHold, World } from './world.ts';

/** All that the scheduler knows. A change wakes the classes of jobs whose answer it may change; who sleeps costs nothing. */
export class SchedulerState implements World {
  now = 0;
  readonly policy: Policy;
  /** The placement policy as the table has it, before it is put to work on the presets. */
  readonly #named: PlacementPolicy;
  readonly nodes = new NodeTable();
  #placement: PlacementPolicy | undefined;
  readonly pools = new Map<string, Pool>();
  readonly presets = new Map<string, Preset>();
  readonly deviceClasses = new Map<string, DeviceClass>();
  readonly bookings = new Map<string, Booked>();
  readonly volumes = new Map<string, Volume>();
  readonly scopes = new Map<string, ScopeState>();
  readonly roots: ScopeState[] = [];
  readonly capacity = new Float64Array(5);
  readonly jobs = new JobTable();
  readonly classes = new Map<string, JobClass>();
  readonly running = new Map<number, RunningJob>();
  /** Waiting jobs that ran before. */
  readonly suspended = new Set<number>();
  /** Running jobs that can be preempted. */
  readonly preemptible = new Set<RunningJob>();
  /** Running jobs whose size may change; empty where sizes are those of the start. */
  readonly elastic = new Set<RunningJob>();
  /** Which of them run on loan. */
  readonly loans = new Loans();
  /** Instants at which the minimum run times of running jobs end. */
  readonly guards = new Agenda<RunningJob>();
  readonly onNode = new Map<number, Set<RunningJob>>();
  readonly arrays = new Map<string, number>();
  readonly indices = new Map<string, ShapeIndex>();
  /** Who is next for a reservation or a consolidation; undefined where the policy has neither. */
  readonly order: WaitingOrder | undefined;
  readonly attention: Attention;
  readonly touches = new Touches(this.nodes);
  /** Nodes that not every job may use: reserved, or with a drain to come. */
  readonly closed = new Set<number>();
  held: Held | undefined;
  readonly quotaHolds = new Map<ScopeState, QuotaHold>();
  hasGuarantees = false;
  /** Milli-GPU of all running jobs. */
  milliGpu = 0;

  /** @throws RangeError where the table has no placement policy of the name that the policy gives */
  constructor(policy: Policy, placements: Placements) {
    this.policy = policy;
    this.#named = placementNamed(policy.placement, placements);
    const { reserveAfterMs, consolidation } = policy;
    if (reserveAfterMs !== undefined || consolidation !== undefined)
      this.order = new WaitingOrder(this.jobs, reserveAfterMs ?? Infinity, () => this.now);
    this.attention = new Attention((of) => this.touchHead(of), this.order);
  }

  /** The placement policy, at work on the presets that there are when it is first asked. */
  get placement(): PlacementPolicy {
    if (this.#placement !== undefined) return this.#placement;
    this.#placement = placementFor(this.#named, this.policy, this.presets);
    this.nodes.preferDevice = this.#placement.device?.bind(this.#placement) ?? this.nodes.preferDevice;
    return this.#placement;
  }

  /** Presets are others than they were, which the placement policy may go by. */
  forgetPlacement(): void {
    if (this.#placement === undefined || this.#named.inWorld === undefined) return;
    this.#placement = undefined;
    for (const index of this.indices.values()) index.invalidate();
  }

  get shares(): ShareContext {
    const { now, capacity, policy } = this;
    return { now, capacity, halfLifeMs: policy.historyHalfLifeMs, historyWeight: policy.historyWeight };
  }

  get quotas(): QuotaContext {
    const { capacity, roots, hasGuarantees, policy } = this;
    return { capacity, roots, quotas: policy.quotas, lending: policy.reclaim && hasGuarantees };
  }

  addScope(scope: ScopeState): void {
    this.scopes.set(scope.spec.name, scope);
    if (scope.parent === undefined && scope.spec.kind !== 'person') this.roots.push(scope);
    if (scope.hasGuarantee) this.hasGuarantees = true;
  }

  putNode(spec: Node): void {
    const number = this.nodes.numberOf(spec.name);
    addTo(this.capacity, capacityOf(number === undefined ? undefined : this.nodes.specs[number]), -1);
    addTo(this.capacity, capacityOf(spec), 1);
    const pool = this.pools.get(spec.pool);
    if (pool === undefined) throw new RangeError(`node ${spec.name} is of an unknown pool ${spec.pool}`);
    this.#capacityChanged(this.nodes.put(spec, pool));
  }

  /** Forgets a node; its jobs must have been stopped. */
  removeNode(node: number): void {
    addTo(this.capacity, capacityOf(this.nodes.specs[node]), -1);
    this.nodes.remove(node);
    if (this.held?.nodes.has(node) === true) hold(this, undefined);
    this.onNode.delete(node);
    this.#capacityChanged(node);
  }

  #capacityChanged(node: number): void {
    for (const scope of this.scopes.values()) scope.share = -1;
    this.reclose(node);
    wakeForRoom(this, node);
    this.attention.wakeAll(this.attention.sleepers.onScope('everyone'));
  }

  /** Closes a node that not everybody may use (a drain to come, kept or reserved for others), or opens it. */
  reclose(node: number): void {
    const drainAt = this.nodes.specs[node]?.drainAt;
    const drains = drainAt !== undefined && drainAt > this.now;
    const closes = drains || this.held?.nodes.has(node) === true || isBooked(this, node);
    if (closes !== this.closed.has(node)) this.nodes.touched.add(node);
    if (closes) this.closed.add(node);
    else this.closed.delete(node);
  }

  indexOf(preset: Preset, where: Whereabouts): ShapeIndex {
    const key = shapeKey(preset.name, where);
    let index = this.indices.get(key);
    if (index === undefined) {
      const shape = shapeOf(preset, where, this.deviceClasses);
      index = new ShapeIndex(shape, this.nodes, () => this.placement, this.closed);
      this.indices.set(key, index);
    }
    return index;
  }

  /** The class that jobs like this belong to, made if there is none. */
  classOf(template: JobTemplate): JobClass {
    const key = classKey(template);
    const known = this.classes.get(key);
    if (known !== undefined) return known;
    const made = describeClass(this, template, key);
    this.classes.set(key, made);
    return made;
  }

  enqueue(slot: number): void {
    const of = this.jobs.classOf(slot);
    const oldest = of.pending.peek();
    of.pending.push(slot);
    if (oldest !== undefined && of.pending.peek() === slot) this.attention.sleepers.headChanged(of);
    // A class that sleeps is asked again only for a new head: what stops one of its jobs stops all.
    if (oldest === undefined) this.attention.wake(of);
  }

  /** A class of waiting jobs is touched; its oldest stands for all. */
  touchHead(of: JobClass): void {
    const head = of.pending.peek();
    if (head !== undefined) this.touches.job(this.jobs.ids[head] as string);
  }

  /** Removes a waiting job. */
  dequeue(slot: number): void {
    const of = this.jobs.classOf(slot);
    const head = of.pending.peek() === slot;
    of.pending.remove(slot);
    if (of.pending.size > 0) {
      if (head) this.attention.sleepers.headChanged(of);
      return;
    }
    this.attention.sleep(of, undefined);
    // What was kept for it is not kept for nobody.
    if (this.held?.of === of) hold(this, undefined);
    for (const [scope, kept] of this.quotaHolds) if (kept.of === of) holdQuota(this, scope, undefined);
    this.#drop(of);
  }

  /** The head of a class is about to start. */
  dequeueHead(of: JobClass, slot: number): void {
    of.pending.remove(slot);
    if (of.pending.size === 0) this.attention.sleep(of, undefined);
    else this.attention.sleepers.headChanged(of);
  }

  start(slot: number, of: JobClass, sizes: readonly number[], pods: readonly Pod[]): RunningJob {
    this.touches.job(this.jobs.ids[slot] as string);
    recordUse(of.queue, this.shares);
    this.suspended.delete(slot);
    return this.restore(slot, of, sizes, pods, this.now);
  }

  /** Enters a job that runs already: past use is as the snapshot says. */
  restore(
    slot: number,
    of: JobClass,
    sizes: readonly number[],
    pods: readonly Pod[],
    startedAt: number,
    grewAt?: number,
  ): RunningJob {
    const job: RunningJob = {
      id: this.jobs.ids[slot] as string,
      slot,
      submittedAt: this.jobs.submittedAt(slot),
      startedAt,
      grewAt,
      of,
      sizes,
      amounts: amountsOf(of.groups, sizes),
      pods: inOrder(pods, this.nodes),
    };
    of.running += 1;
    this.running.set(slot, job);
    book(this, job, 1);
    guard(this, job);
    return job;
  }

  /**
   * Takes a running job off its nodes; everything that waits for what it held is woken. With `again` it waits anew, as
   * old as it was.
   */
  stop(job: RunningJob, again: boolean): void {
    this.touches.job(job.id);
    this.running.delete(job.slot);
    job.of.running -= 1;
    this.#release(job, job.pods);
    recordUse(job.of.queue, this.shares);
    book(this, job, -1);
    if (again) {
      this.suspended.add(job.slot);
      this.enqueue(job.slot);
    } else this.jobs.remove(job.slot);
    wakeAfter(this, job);
    this.#drop(job.of);
  }

  /** Moves a running job to places that are taken already; it starts there anew. */
  move(job: RunningJob, pods: readonly Pod[]): RunningJob {
    this.touches.job(job.id);
    this.#release(job, job.pods);
    recordUse(job.of.queue, this.shares);
    this.running.delete(job.slot);
    book(this, job, -1);
    job.of.running -= 1;
    const moved = this.restore(job.slot, job.of, job.sizes, pods, this.now);
    wakeOnNodes(this, job.pods);
    return moved;
  }

  /** Changes the replicas of a running job: those added have their places taken already, those removed give them back. */
  resize(job: RunningJob, added: readonly Pod[], removed: readonly Pod[]): RunningJob {
    this.touches.job(job.id);
    this.#release(job, removed);
    recordUse(job.of.queue, this.shares);
    book(this, job, -1);
    job.of.running -= 1;
    const gone = new Set(removed);
    const pods = [...job.pods.filter((pod) => !gone.has(pod)), ...added];
    const sizes = job.of.groups.map((_, g) => pods.filter(({ group }) => group === g).length);
    const grewAt = added.length > 0 ? this.now : job.grewAt;
    const resized = this.restore(job.slot, job.of, sizes, pods, job.startedAt, grewAt);
    if (removed.length > 0) wakeAfter(this, { ...job, pods: removed });
    return resized;
  }

  #release(job: RunningJob, pods: readonly Pod[]): void {
    for (const { group, node, gpus } of pods) {
      this.nodes.release(node, (job.of.groups[group] as JobClass['groups'][number]).shape, gpus);
    }
  }

  #drop(of: JobClass): void {
    if (of.pending.size === 0 && of.running === 0) this.classes.delete(of.key);
  }
}
