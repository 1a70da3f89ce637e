import { addPreset, type Decision, policy, relocate, roomFor, Scheduler } from '@delos/scheduling';
import { Leavers } from './leavers.ts';
import type { Admission, Facts, Plan, PlannedJob, Preemption, ReportedNode } from './planned.ts';
import { type DiskHold, PlannerDisks } from './planner-disks.ts';
import { isSame, type Known, keyOf } from './planner-known.ts';
import { byId, newPodOn, PlannerNodes, podOn, stageOf } from './planner-nodes.ts';
import { ensureQueue, personOf, queueOf, scopesOf } from './planner-scopes.ts';
import { type CatalogueEntry, countedResources, entryOf, presetOf } from './translate.ts';

/** A job that has found no room for so long has nodes kept for it. */
export const RESERVE_AFTER_MS = 60_000;

/** Presets that no job uses any more and that are kept, each with its order of nodes; beyond them a planner is worn. */
const SPARE_PRESETS = 256;

/**
 * The scheduler's core, kept in step with rows and node reports. Rows are the truth: whatever the core had decided, what
 * is told of a job replaces it, so a decision that could not be carried out is taken back by telling the row again.
 */
export class Planner {
  readonly core: Scheduler;
  readonly #factsKey: string;
  readonly #catalogue: ReadonlyMap<string, CatalogueEntry>;
  readonly #counted: ReadonlySet<string>;
  readonly #known = new Map<string, Known>();
  readonly #users = new Map<string, number>();
  /** Active jobs whose Pod is not bound: they are charged where they would fit best. */
  readonly #unbound = new Set<string>();
  /** Jobs that have a place kept, in the order in which they got it. */
  readonly #kept = new Set<string>();
  readonly #nodes: PlannerNodes;
  readonly #leavers: Leavers;
  readonly #disks = new PlannerDisks();
  /** Jobs that wait for a disk. */
  readonly #held = new Set<string>();

  constructor(facts: Facts, reports: readonly ReportedNode[], jobs: Iterable<PlannedJob>, now: Date) {
    this.#factsKey = JSON.stringify(facts);
    this.#catalogue = new Map(facts.presets.map((entry) => [entry.name, entry]));
    this.#counted = countedResources(reports);
    this.core = new Scheduler({
      version: 1,
      now: now.getTime(),
      policy: policy.parse({
        reserveAfterMs: RESERVE_AFTER_MS,
        minRunMs: facts.minRunSeconds * 1000,
        // One job is one Pod here, and moving jobs for room is not done.
        resizing: false,
      }),
      pools: [],
      nodes: [],
      presets: facts.presets.map(({ name, ...rest }) =>
        presetOf({ preset: name, ...rest }, this.#catalogue, this.#counted),
      ),
      scopes: scopesOf(facts),
      volumes: [],
      jobs: [],
      reservations: [],
    });
    this.#nodes = new PlannerNodes(this.core, this.#counted);
    this.#leavers = new Leavers(this.core);
    this.setNodes(reports, now);
    const order = [...jobs].sort((a, b) => stageOf(a) - stageOf(b) || byId(a, b));
    for (const job of order) this.setJob(job.id, job, now);
  }

  /** Whether it still stands for this configuration and these nodes; a new one is to be made where it does not. */
  isFor(facts: Facts, reports: readonly ReportedNode[]): boolean {
    const spare = this.core.state.presets.size - this.#catalogue.size - this.#users.size;
    if (spare > SPARE_PRESETS || JSON.stringify(facts) !== this.#factsKey) return false;
    return [...countedResources(reports)].every((resource) => this.#counted.has(resource));
  }

  /** How many jobs wait. */
  get queued(): number {
    const { jobs, running } = this.core.state;
    return jobs.size - running.size + this.#kept.size + this.#held.size;
  }

  /** Jobs that wait. */
  get waiting(): readonly string[] {
    return [...this.#known].flatMap(([id, { place }]) => (place === 'node' || place === 'leaving' ? [] : [id]));
  }

  /** The place that is kept for a job, and how many must leave first; undefined where none is. */
  keptFor(id: string): { readonly node: string; readonly leavers: number } | undefined {
    const node = this.#kept.has(id) ? this.#known.get(id)?.node : undefined;
    return node === undefined ? undefined : { node, leavers: this.#leavers.before(id).length };
  }

  /** Why a job waits whatever room there is; undefined where it does not. */
  holdOf(id: string): DiskHold | undefined {
    const known = this.#known.get(id);
    return known?.place === 'held' ? this.#disks.holdOf(known.job) : undefined;
  }

  /** What a job's row says now; undefined: nothing that concerns nodes or the queue. */
  setJob(id: string, job: PlannedJob | undefined, now: Date): void {
    const known = this.#known.get(id);
    if (job === undefined) {
      if (known !== undefined) this.#leave(id, known, now);
      return;
    }
    if (known === undefined || !isSame(known, job)) {
      if (known !== undefined) this.#leave(id, known, now);
      this.#enter(job, now);
      return;
    }
    const { active } = job;
    if (active === undefined) return;
    if (active.leaving) {
      if (active.node !== null && active.node !== known.node) this.#toLeave(known, active.node);
      return;
    }
    if (active.node === null) this.#unbound.add(id);
    else this.#unbound.delete(id);
    this.#relocate(id, known, active.node ?? known.node ?? '', active.pool, active.since.getTime(), now);
  }

  /** All nodes as they are reported now. */
  setNodes(reports: readonly ReportedNode[], now: Date): void {
    this.#nodes.set(reports, this.#at(now));
    for (const id of this.#unbound) this.#chooseAgain(id, now);
  }

  /** Whether users can name a preset: jobs bring others, of an earlier catalogue or by single resources. */
  offers(preset: string): boolean {
    return this.#catalogue.has(preset);
  }

  /** What is to be written now, and counts as done from now on. */
  decide(now: Date): Plan {
    const at = this.#at(now);
    for (const id of this.#kept) this.#keepNoMore(id, now);
    const { decisions, next = Infinity } = this.core.cycle(at);
    const preemptions = decisions.flatMap((decision) => this.#follow(decision) ?? []);
    // The core would let them start elsewhere at once; they are still there.
    for (const { id } of preemptions) this.core.finish(id, at);
    const admissions: Admission[] = [];
    for (const id of this.#kept) {
      const known = this.#known.get(id);
      if (known?.node === undefined || this.#leavers.before(id).length > 0) continue;
      this.#kept.delete(id);
      this.#unbound.add(id);
      known.place = 'node';
      admissions.push({ id, pool: this.#nodes.poolOf(known.node), node: known.node });
    }
    return { preemptions, admissions, next };
  }

  /** How many more jobs of a preset of the catalogue there is room for, quotas aside. */
  roomFor(preset: string): number {
    return roomFor(this.core, preset, []).replicas;
  }

  /** @returns who is to be told to give way */
  #follow(decision: Decision): Preemption | undefined {
    const { kind, job: id } = decision;
    const known = this.#known.get(id);
    const node = kind === 'start' ? decision.pods[0]?.node : known?.node;
    if (known === undefined || node === undefined || (kind !== 'start' && kind !== 'preempt')) {
      throw new Error(`nothing carries out ${JSON.stringify(decision)}`);
    }
    if (kind === 'start') {
      if (known.place === 'leaving' || known.place === 'held') return undefined;
      // Another one got its disk just now.
      if (this.#disks.holdOf(known.job) !== undefined) return this.#hold(known);
      this.#takeDisks(known.job);
      known.place = 'kept';
      known.node = node;
      known.since = this.core.state.now;
      this.#kept.add(id);
      return undefined;
    }
    if (this.#kept.delete(id)) {
      // It had a place and was not there yet.
      known.place = 'queue';
      known.node = undefined;
      this.#disks.giveBack(known.job);
      for (const other of this.#disks.others(known.job)) this.#holdNoMore(other, new Date(this.core.state.now));
      return undefined;
    }
    this.#toLeave(known, node);
    return { id, run: known.job.run, description: decision.text };
  }

  /** A job has its disks from now on. Whoever else waits for one of them is held back. */
  #takeDisks(job: PlannedJob): void {
    this.#disks.take(job);
    for (const id of this.#disks.others(job)) {
      const other = this.#known.get(id);
      if (other?.place === 'queue' && this.#disks.holdOf(other.job) !== undefined) this.#hold(other);
    }
  }

  /** The core shall not place it. */
  #hold(known: Known): undefined {
    known.place = 'held';
    this.#held.add(known.job.id);
    this.core.finish(known.job.id, this.core.state.now);
  }

  #toLeave(known: Known, node: string): void {
    const { id } = known.job;
    const preset = this.core.state.presets.get(known.preset);
    if (preset === undefined) throw new Error(`no preset ${known.preset}`);
    known.place = 'leaving';
    known.node = node;
    this.#unbound.delete(id);
    this.#leavers.put({ id, queue: queueOf(known.job), person: personOf(known.job), preset, node });
  }

  /** Where a place that is kept is none any more, its job waits as before. */
  #keepNoMore(id: string, now: Date): void {
    const known = this.#known.get(id);
    if (known?.node === undefined) return;
    if (!this.#nodes.takesPods(known.node) || this.#nodes.isOverfull(known.node)) this.#again(known, now);
  }

  #enter(job: PlannedJob, now: Date): void {
    const at = this.#at(now);
    const preset = presetOf(job, this.#catalogue, this.#counted);
    if (!this.core.state.presets.has(preset.name)) addPreset(this.core, preset);
    if (!this.#catalogue.has(preset.name)) this.#users.set(preset.name, (this.#users.get(preset.name) ?? 0) + 1);
    const { active } = job;
    const known: Known = { job, key: keyOf(job), preset: preset.name, place: 'queue', node: undefined, since: 0 };
    this.#known.set(job.id, known);
    this.#disks.know(job);
    if (active !== undefined) this.#takeDisks(job);
    else if (this.#disks.holdOf(job) !== undefined) {
      known.place = 'held';
      this.#held.add(job.id);
      return;
    }
    if (active?.leaving === true) {
      this.#toLeave(known, active.node ?? this.#nodes.choose(preset.name, active.pool, active.planned));
      return;
    }
    const entry = entryOf(job, preset.name, ensureQueue(this.core, job, at));
    if (active === undefined) {
      this.core.submit(entry, at);
      return;
    }
    known.place = 'node';
    known.node = active.node ?? this.#nodes.choose(preset.name, active.pool, active.planned);
    known.since = active.since.getTime();
    if (active.node === null) this.#unbound.add(job.id);
    this.#nodes.ensure(known.node, active.pool, at);
    const pod = newPodOn(this.core, known.node, preset.gpu?.kind === 'whole' ? preset.gpu.count : 0);
    this.core.submit({ ...entry, running: { startedAt: known.since, pods: [pod] } }, at);
  }

  #leave(id: string, known: Known, now: Date): void {
    if (known.place === 'leaving') this.#leavers.delete(id);
    else if (!this.#held.delete(id)) this.core.finish(id, this.#at(now));
    this.#known.delete(id);
    this.#kept.delete(id);
    this.#unbound.delete(id);
    const users = (this.#users.get(known.preset) ?? 0) - 1;
    if (users > 0) this.#users.set(known.preset, users);
    else this.#users.delete(known.preset);
    this.#nodes.vacated(known.node, this.#at(now));
    for (const other of this.#disks.forget(known.job)) this.#holdNoMore(other, now);
  }

  /** A disk that it may have waited for is free. */
  #holdNoMore(id: string, now: Date): void {
    const known = this.#known.get(id);
    if (known?.place === 'held' && this.#disks.holdOf(known.job) === undefined) this.#again(known, now);
  }

  #again(known: Known, now: Date): void {
    this.#leave(known.job.id, known, now);
    this.#enter(known.job, now);
  }

  #relocate(id: string, known: Known, node: string, pool: string, since: number, now: Date): void {
    if (node === known.node && since === known.since) return;
    const before = known.node;
    known.node = node;
    known.since = since;
    this.#nodes.ensure(node, pool, this.#at(now));
    relocate(this.core, id, { startedAt: since, pods: [podOn(node)] });
    if (before !== node) this.#nodes.vacated(before, this.#at(now));
  }

  /** A Pod that is not bound will not be on a node that takes none. */
  #chooseAgain(id: string, now: Date): void {
    const known = this.#known.get(id);
    if (known?.node === undefined || this.#nodes.takesPods(known.node)) return;
    const pool = this.#nodes.poolOf(known.node);
    this.#relocate(id, known, this.#nodes.choose(known.preset, pool, null), pool, known.since, now);
  }

  /** The core's time never runs backwards, which a machine's clock may. */
  #at(now: Date): number {
    return Math.max(now.getTime(), this.core.state.now);
  }
}
