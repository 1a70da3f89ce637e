import { observedSnapshot, type Snapshot } from '@delos/scheduling';
import type { Logger } from 'pino';
import { chargeRuns, holdBack } from '../db/credits/charger.ts';
import { holdCredits } from '../db/credits/runs.ts';
import type { Database } from '../db/database.ts';
import { applyEvent, preemptJob, recordWaiting, sealLogs, stopJob } from '../db/jobs-state.ts';
import { CONFIG_CHANGED, NODES_CHANGED } from '../db/notifications.ts';
import type { Db, Tx } from '../db/schema.ts';
import { due } from './clock.ts';
import { JobMirror } from './mirror.ts';
import type { Facts, PlannedJob, ReportedNode } from './planned.ts';
import { Planner } from './planner.ts';
import { loadAgentSeen, loadFacts, loadNodes } from './rows.ts';
import { type Tally, tallyOf } from './tally.ts';
import { type Usage, usageOf } from './usage.ts';
import { explainWaiting, type Waiting } from './waiting.ts';
import { Wake } from './wake.ts';

/** Clocks are looked at this often; a notification wakes at once. */
const TICK_MS = 1_000;
/** Everything is read again this often, since a notification may be lost. */
const SWEEP_MS = 15_000;
/** A job that has come is told at once why it waits; what changes in that is written this often. */
const REASONS_MS = 5_000;
/** Reasons are worked out for so long at a time; arrivals and ends do not wait for all of them. */
const REASONS_SLICE_MS = 200;
/** Runs are looked at this often for what is to be charged. */
const CHARGE_MS = 5_000;
const WRITE_BATCH = 50;
const WAITING_BATCH = 1_000;
const AGENT_SILENT_MS = 60_000;

export interface LeaderView {
  /** All that the core knows, as one document; undefined before its first round. */
  readonly snapshot: () => Snapshot | undefined;
  /** How many jobs there are. */
  readonly tally: () => Tally;
  /** Who has how much of what there is. */
  readonly usage: () => Usage;
}

export interface LoopObserver {
  readonly leads: (view: LeaderView) => void;
  /** `queued`: jobs that wait after it. */
  readonly round: (round: Round) => void;
}

/** What one round of decisions did. */
export interface Round {
  readonly seconds: number;
  readonly queued: number;
  readonly admitted: number;
  readonly preempted: number;
}

/** Decides while it leads: rounds on notifications, clocks each second, a sweep now and then. */
export async function schedule(
  connection: Db,
  database: Database,
  cluster: string,
  log: Logger,
  signal: AbortSignal,
  observer: LoopObserver,
): Promise<void> {
  const wake = new Wake();
  const loop = new Loop(connection, database.db, cluster, log, observer);
  observer.leads(loop);
  const unsubscribe = [
    database.notifications.onJobChanged((change) => {
      if (change.cluster !== cluster) return;
      loop.dirty.add(change.id);
      wake.wake();
    }),
    ...[NODES_CHANGED, CONFIG_CHANGED].map((channel) =>
      database.notifications.on(channel, () => {
        loop.lookAround = true;
        wake.wake();
      }),
    ),
    database.notifications.onRenewed(() => {
      loop.sweepAt = 0;
      wake.wake();
    }),
  ];
  const onAbort = (): void => wake.wake();
  signal.addEventListener('abort', onAbort);
  try {
    while (!signal.aborted) {
      await loop.turn();
      // What was written here is notified, too; no need to wait for that.
      if (loop.dirty.size === 0 && !loop.busy) await wake.wait(TICK_MS);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    for (const off of unsubscribe) off();
  }
}

/** One leadership: its state is made from rows, and is gone with it. */
class Loop implements LeaderView {
  readonly dirty = new Set<string>();
  sweepAt = 0;
  #chargeAt = 0;
  lookAround = true;
  /** What is written goes over the connection that holds the lock; reads may go anywhere. */
  readonly #writer: Db;
  readonly #reader: Db;
  readonly #cluster: string;
  readonly #log: Logger;
  readonly #observer: LoopObserver;
  readonly #mirror: JobMirror;
  #planner: Planner | undefined;
  /** As they were read last. */
  #nodes: readonly ReportedNode[] = [];
  #projects: Facts['projects'] = [];
  /** Something was heard since the last round, or since all reasons were told. */
  #changed = true;
  #reasonsStale = true;
  #reasonsAt = 0;
  /** When the core wants to be asked again though nothing has happened. */
  #next = Infinity;
  /** Jobs in the queue that were not told yet why. */
  readonly #untold = new Set<string>();
  /** Those who were, and are to be told again. */
  #retell: readonly string[] = [];

  constructor(writer: Db, reader: Db, cluster: string, log: Logger, observer: LoopObserver) {
    this.#writer = writer;
    this.#reader = reader;
    this.#cluster = cluster;
    this.#log = log;
    this.#observer = observer;
    this.#mirror = new JobMirror(reader, cluster, (id, job) => this.#heard(id, job));
  }

  /** There is work left that was put off. */
  get busy(): boolean {
    return this.#retell.length > 0;
  }

  snapshot(): Snapshot | undefined {
    return this.#planner === undefined ? undefined : observedSnapshot(this.#planner.core);
  }

  tally(): Tally {
    return tallyOf(this.#mirror.jobs.values());
  }

  usage(): Usage {
    return usageOf({ nodes: this.#nodes, projects: this.#projects, jobs: this.#mirror.jobs.values() });
  }

  async turn(): Promise<void> {
    if (Date.now() >= this.sweepAt) {
      this.dirty.clear();
      await this.#mirror.reload();
      this.sweepAt = Date.now() + SWEEP_MS;
      this.lookAround = true;
    } else if (this.dirty.size > 0) {
      const ids = [...this.dirty];
      this.dirty.clear();
      await this.#mirror.refresh(ids);
    }
    const planner = await this.#upToDate();
    await this.#runClocks();
    await this.#charge();
    if (this.#changed || this.busy || Date.now() >= this.#next) await this.#round(planner);
  }

  #heard(id: string, job: PlannedJob | undefined): void {
    this.#planner?.setJob(id, job, new Date());
    this.#changed = true;
    this.#reasonsStale = true;
    const isWaiting = job !== undefined && job.active === undefined;
    if (isWaiting && this.#mirror.jobs.get(id)?.reason === 'Creating') this.#untold.add(id);
    else this.#untold.delete(id);
  }

  /** The planner for the nodes and the configuration as they are. */
  async #upToDate(): Promise<Planner> {
    if (this.#planner !== undefined && !this.lookAround) return this.#planner;
    this.lookAround = false;
    const facts = await loadFacts(this.#reader, this.#cluster);
    const reports = await loadNodes(this.#reader, this.#cluster);
    this.#nodes = reports;
    this.#projects = facts.projects;
    const now = new Date();
    if (this.#planner?.isFor(facts, reports) === true) this.#planner.setNodes(reports, now);
    else {
      const jobs = [...this.#mirror.jobs.values()].flatMap(({ planned }) => planned ?? []);
      this.#planner = new Planner(facts, reports, jobs, now);
      this.#log.debug({ jobs: jobs.length, nodes: reports.length }, 'made the planner anew');
    }
    this.#changed = true;
    this.#reasonsStale = true;
    return this.#planner;
  }

  async #runClocks(): Promise<void> {
    const now = new Date();
    for (const [id, job] of this.#mirror.jobs) {
      // Held back until now: read again, it is one that waits.
      if (job.planned === undefined && job.retryAt !== null && job.retryAt <= now) this.dirty.add(id);
      if (due(job, now) === undefined) continue;
      await this.#writer.transaction().execute(async (tx) => {
        // The row may have changed since: its life-span may have been extended.
        const row = await tx.selectFrom('jobs').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
        const what = row === undefined ? undefined : due(row, now);
        if (what === undefined) return;
        this.#log.info({ job: id, due: what }, 'time is over');
        if (what.type === 'seal') await sealLogs(tx, id, false);
        else await stopJob(tx, id, what);
      });
      this.dirty.add(id);
    }
  }

  async #charge(): Promise<void> {
    if (Date.now() < this.#chargeAt) return;
    this.#chargeAt = Date.now() + CHARGE_MS;
    await chargeRuns(this.#writer, this.#cluster, this.#log);
  }

  async #round(planner: Planner): Promise<void> {
    const start = performance.now();
    this.#changed = false;
    const { preemptions, admissions, next } = planner.decide(new Date());
    this.#next = next;
    await this.#write(preemptions, async (tx, { id, run, description }) => {
      this.#log.info({ job: id, run, reason: description }, 'preempted');
      await preemptJob(tx, id, { run, description });
    });
    await this.#write(admissions, async (tx, { id, pool, node }) => {
      const row = await tx.selectFrom('jobs').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
      if (row?.phase !== 'queued') return;
      const missing = await holdCredits(tx, row);
      if (missing !== undefined) return holdBack(tx, id, missing);
      const description = `admitted to pool ${pool}, waits for its Pod`;
      await applyEvent(tx, id, { type: 'admit', pool, node, description });
    });
    const told = await this.#tellReasons(planner);
    const seconds = (performance.now() - start) / 1000;
    const queued = planner.queued;
    this.#observer.round({ seconds, queued, admitted: admissions.length, preempted: preemptions.length });
    this.#log.debug({ queued, admitted: admissions.length, told, seconds }, 'round');
  }

  /** What was decided of each job, a batch in one transaction. */
  async #write<D extends { readonly id: string }>(
    decisions: readonly D[],
    write: (tx: Tx, decision: D) => Promise<void>,
  ): Promise<void> {
    for (let index = 0; index < decisions.length; index += WRITE_BATCH) {
      const batch = decisions.slice(index, index + WRITE_BATCH);
      await this.#writer.transaction().execute(async (tx) => {
        for (const decision of batch) await write(tx, decision);
      });
      // Read again, and told to the core: where a job was killed meanwhile, its room is free.
      for (const { id } of batch) this.dirty.add(id);
    }
  }

  /** @returns how many jobs were told something new */
  async #tellReasons(planner: Planner): Promise<number> {
    if (this.#reasonsStale && !this.busy && Date.now() >= this.#reasonsAt) {
      this.#reasonsStale = false;
      this.#reasonsAt = Date.now() + REASONS_MS;
      this.#retell = planner.waiting;
    }
    if (this.#reasonsStale) this.#next = Math.min(this.#next, this.#reasonsAt);
    const ids = [...this.#untold, ...this.#retell.filter((id) => !this.#untold.has(id))];
    if (ids.length === 0) return 0;
    const silence = agentSilence(await loadAgentSeen(this.#reader, this.#cluster), new Date());
    const end = performance.now() + REASONS_SLICE_MS;
    const { waiting, left } = explainWaiting(planner, ids, silence, () => performance.now() >= end);
    this.#untold.clear();
    this.#retell = left;
    const news = waiting.filter((job) => this.#isNews(job));
    for (let index = 0; index < news.length; index += WAITING_BATCH) {
      const batch = news.slice(index, index + WAITING_BATCH);
      await this.#writer.transaction().execute((tx) => recordWaiting(tx, batch));
      for (const { id, reason, description } of batch) this.#mirror.told(id, reason, description);
    }
    return news.length;
  }

  #isNews(job: Waiting): boolean {
    const known = this.#mirror.jobs.get(job.id);
    return known === undefined || known.reason !== job.reason || known.status_description !== job.description;
  }
}

function agentSilence(seenAt: Date | null, now: Date): string {
  if (seenAt === null) return "the cluster's agent has not connected yet";
  if (now.getTime() - seenAt.getTime() < AGENT_SILENT_MS) return '';
  return `the cluster's agent has not been heard of since ${seenAt.toISOString()}`;
}
