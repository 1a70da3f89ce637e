import { PLAIN_SHARE } from '@delos/core';
import { addPreset, type Job, policy, relocate, roomFor, Scheduler, type Scope } from '../scheduling/index.ts';
import type { Facts, PlannedJob, ReportedNode, ScopeFacts } from './planned.ts';
import { byId, newPodOn, PlannerNodes, podOn } from './planner-nodes.ts';
import { amountsOfQuota, type CatalogueEntry, countedResources, presetOf, priorityOf } from './translate.ts';

/**
 * Whether running jobs may be moved aside for others. Off: the life of a job (db/job-machine.ts) knows no way back from
 * a Pod into the queue, and what ends one for good must not be called preemption. Without it presets count as not
 * preemptible, and guarantees, which are kept by reclaiming, are not offered.
 */
export const PREEMPTION: boolean = false;

/** A job that has found no room for so long has nodes kept for it. */
export const RESERVE_AFTER_MS = 60_000;

const POLICY = policy.parse({
  reserveAfterMs: RESERVE_AFTER_MS,
  preemption: PREEMPTION,
  reclaim: PREEMPTION,
  resizing: false,
});

/** Presets that no job uses any more and that are kept, each with its order of nodes; beyond them a planner is worn. */
const SPARE_PRESETS = 256;

/** Of whom the configuration says nothing. */
const PLAIN: Pick<ScopeFacts, 'quota' | 'share'> = { quota: {}, share: PLAIN_SHARE };

/** What to do now, and when to ask again though nothing happens. */
export interface Plan {
  readonly admissions: readonly Admission[];
  /** Milliseconds since 1970; Infinity: there is no need. */
  readonly next: number;
}

export interface Admission {
  readonly id: string;
  readonly pool: string;
  /** Where it is expected to run; Kubernetes is asked to prefer that, and may choose another node of the pool. */
  readonly node: string;
}

interface Known {
  /** All that the core was told of the job but where it runs. */
  readonly key: string;
  readonly preset: string;
  /** Where it runs in the core, and since when. */
  node: string | undefined;
  since: number;
}

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
  readonly #nodes: PlannerNodes;

  constructor(facts: Facts, reports: readonly ReportedNode[], jobs: Iterable<PlannedJob>, now: Date) {
    this.#factsKey = JSON.stringify(facts);
    this.#catalogue = new Map(facts.presets.map((entry) => [entry.name, entry]));
    this.#counted = countedResources(reports);
    this.core = new Scheduler({
      version: 1,
      now: now.getTime(),
      policy: POLICY,
      pools: [],
      nodes: [],
      presets: facts.presets.map(({ name, ...rest }) =>
        presetOf({ preset: name, ...rest }, this.#catalogue, this.#counted),
      ),
      scopes: [
        ...facts.organizations.map((org) => scopeOf(org.name, undefined, 'organization', org)),
        ...facts.projects.map((project) => scopeOf(`${project.org}/${project.name}`, project.org, 'project', project)),
        // Whoever is guaranteed something has it kept before the first job comes.
        ...facts.members.map(({ org, project, user, share }) =>
          scopeOf(`${org}/${project}/${user}`, `${org}/${project}`, 'user', { quota: {}, share }),
        ),
      ],
      volumes: [],
      jobs: [],
      reservations: [],
    });
    this.#nodes = new PlannerNodes(this.core, this.#counted);
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
    return this.core.state.jobs.size - this.core.state.running.size;
  }

  /** Jobs that wait. */
  get waiting(): readonly string[] {
    return [...this.#known.keys()].filter((id) => !this.#runs(id));
  }

  /** What a job's row says now; undefined: nothing that concerns nodes or the queue. */
  setJob(id: string, job: PlannedJob | undefined, now: Date): void {
    const known = this.#known.get(id);
    if (job === undefined) {
      if (known !== undefined) this.#leave(id, known, now);
      return;
    }
    const { active } = job;
    if (known === undefined || known.key !== keyOf(job) || this.#runs(id) !== (active !== undefined)) {
      if (known !== undefined) this.#leave(id, known, now);
      this.#enter(job, now);
      return;
    }
    if (active === undefined) return;
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

  /** Jobs to be admitted. They count as running from now on. */
  decide(now: Date): Plan {
    const { decisions, next = Infinity } = this.core.cycle(this.#at(now));
    const admissions = decisions.map((decision) => {
      const node = decision.kind === 'start' ? decision.pods[0]?.node : undefined;
      const known = this.#known.get(decision.job);
      if (node === undefined || known === undefined) throw new Error(`nothing carries out ${JSON.stringify(decision)}`);
      known.node = node;
      known.since = this.core.state.now;
      this.#unbound.add(decision.job);
      return { id: decision.job, pool: this.#nodes.poolOf(node), node };
    });
    return { admissions, next };
  }

  /** How many more jobs of a preset of the catalogue there is room for, quotas aside. */
  roomFor(preset: string): number {
    return roomFor(this.core, preset, []).replicas;
  }

  #enter(job: PlannedJob, now: Date): void {
    const at = this.#at(now);
    const preset = presetOf(job, this.#catalogue, this.#counted);
    if (!this.core.state.presets.has(preset.name)) addPreset(this.core, preset);
    if (!this.#catalogue.has(preset.name)) this.#users.set(preset.name, (this.#users.get(preset.name) ?? 0) + 1);
    const { active } = job;
    const entry: Job = {
      id: job.id,
      queue: this.#queueOf(job, at),
      priority: priorityOf(job.priority),
      submittedAt: job.createdAt.getTime(),
      groups: [{ preset: preset.name, count: 1 }],
      lifeSpanMs: job.lifeSpanMinutes === null ? undefined : job.lifeSpanMinutes * 60_000,
      pools: [],
      volumes: [],
      suspended: false,
    };
    const known: Known = { key: keyOf(job), preset: preset.name, node: undefined, since: 0 };
    this.#known.set(job.id, known);
    if (active === undefined) {
      this.core.submit(entry, at);
      return;
    }
    known.node = active.node ?? this.#nodes.choose(preset.name, active.pool, active.planned);
    known.since = active.since.getTime();
    if (active.node === null) this.#unbound.add(job.id);
    this.#nodes.ensure(known.node, active.pool, at);
    const pod = newPodOn(this.core, known.node, preset.gpu?.kind === 'whole' ? preset.gpu.count : 0);
    this.core.submit({ ...entry, running: { startedAt: known.since, pods: [pod] } }, at);
  }

  #leave(id: string, known: Known, now: Date): void {
    this.core.finish(id, this.#at(now));
    this.#known.delete(id);
    this.#unbound.delete(id);
    const users = (this.#users.get(known.preset) ?? 0) - 1;
    if (users > 0) this.#users.set(known.preset, users);
    else this.#users.delete(known.preset);
    this.#nodes.vacated(known.node, this.#at(now));
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

  #runs(id: string): boolean {
    const slot = this.core.state.jobs.slotOf(id);
    return slot !== undefined && this.core.state.running.has(slot);
  }

  /** Its own user's place in the project's queue: within a project, users share alike. */
  #queueOf({ org, project, owner }: PlannedJob, at: number): string {
    const { scopes } = this.core.state;
    const queue = `${org}/${project}/${owner}`;
    if (scopes.has(queue)) return queue;
    if (!scopes.has(org)) this.core.addScope(scopeOf(org, undefined, 'organization', PLAIN), at);
    if (!scopes.has(`${org}/${project}`)) this.core.addScope(scopeOf(`${org}/${project}`, org, 'project', PLAIN), at);
    this.core.addScope(scopeOf(queue, `${org}/${project}`, 'user', PLAIN), at);
    return queue;
  }

  /** The core's time never runs backwards, which a machine's clock may. */
  #at(now: Date): number {
    return Math.max(now.getTime(), this.core.state.now);
  }
}

function scopeOf(
  name: string,
  parent: string | undefined,
  kind: Scope['kind'],
  { quota, share }: Pick<ScopeFacts, 'quota' | 'share'>,
): Scope {
  return {
    name,
    parent,
    kind,
    weight: share.weight,
    quota: amountsOfQuota(quota),
    guarantee: amountsOfQuota(share.guarantee),
    limit: amountsOfQuota(share.limit),
  };
}

function keyOf({ org, project, owner, preset, resources, pools, priority, lifeSpanMinutes }: PlannedJob): string {
  return JSON.stringify([org, project, owner, preset, resources, pools, priority, lifeSpanMinutes]);
}

/** Bound jobs, then those that are placed in what is left, then the queue. */
function stageOf({ active }: PlannedJob): number {
  return active === undefined ? 2 : active.node === null ? 1 : 0;
}
