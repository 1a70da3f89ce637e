import { TERMINAL } from '@delos/core';
import { type Act, Bake, type Event, type TaskRecord, type Turn } from '@delos/engine';
import { volumeOfReference } from '@delos/flow';
import { changeAttempt } from '../../db/flow/attempts.ts';
import { stopJob } from '../../db/jobs-state.ts';
import type { JobRow, Tx } from '../../db/schema.ts';
import type { ApiDeps } from '../deps.ts';
import { parseJobRequest } from '../resources/jobs/request.ts';
import { submitJob } from '../resources/jobs/submit.ts';
import { endExecutor, tellExecutor } from './executor-row.ts';
import { jobBody } from './job-body.ts';
import { readResults } from './job-log.ts';
import type { LoadedBake } from './load.ts';
import { refusal, waits } from './refusal.ts';
import { isEnd, writeChanges } from './write-turn.ts';

type SeenJob = Pick<JobRow, 'id' | 'status' | 'phase' | 'first_started_at' | 'started_at' | 'finished_at'>;

/** Thrown where another control API has taken the bake over. */
class TakenOver extends Error {}

/** Acts of one step, so that one bake does not hold up the others. */
const ACTS = 100;

/**
 * What became of a step: nothing is left of the bake; something is awaited; more can be done at once; or as many jobs wait as may
 * (`jobs.queuedPerUser`), and the next ones are made when some have started.
 */
export type Step = 'ended' | 'idle' | 'more' | 'full';

/** One attempt that the platform carries out: the engine's core, kept in step with rows. */
export class BakeRun {
  readonly #deps: ApiDeps;
  readonly #loaded: LoadedBake;
  readonly #core: Bake;
  readonly #records: Map<string, TaskRecord>;
  /** Jobs that something is awaited of, and whose they are: kept by whoever tells of them. */
  readonly #awaited: Map<string, string>;
  readonly #taskOf = new Map<string, string>();
  readonly #changed = new Set<string>();
  #all = true;
  /** Decided, and not carried out yet. */
  #acts: Act[] = [];
  #full = false;

  constructor(deps: ApiDeps, loaded: LoadedBake, awaited: Map<string, string>) {
    this.#deps = deps;
    this.#awaited = awaited;
    this.#loaded = loaded;
    this.#records = new Map(loaded.records.map((record) => [record.task, record]));
    for (const { jobId, task } of loaded.records) if (jobId !== null) this.#taskOf.set(jobId, task);
    this.#core = new Bake(
      loaded.tasks,
      {
        attempt: loaded.attempt.id,
        home: loaded.home,
        outside: { parseVolume: (text) => volumeOfReference(text, loaded.home.place) },
        tags: [`bake_id:${loaded.attempt.bake}`],
        cancelled: loaded.cancelled,
        ...(loaded.deadline === undefined ? {} : { deadline: loaded.deadline }),
      },
      loaded.records,
    );
  }

  /** How many tasks are in memory for it. */
  get size(): number {
    return this.#loaded.tasks.length;
  }

  /** Nothing of it is awaited any more. */
  forget(): void {
    for (const job of this.#taskOf.keys()) this.#awaited.delete(job);
  }

  /** Something of it may have changed: one job, or anything. */
  wake(job?: string): void {
    if (job === undefined) this.#all = true;
    else this.#changed.add(job);
  }

  /** Does some of what is to be done; one step after the other. @throws Error where the run is to be made anew */
  async step(): Promise<Step> {
    const all = this.#all;
    const changed = [...this.#changed];
    this.#all = false;
    this.#changed.clear();
    if (all && (await this.#lookAtAll())) return 'ended';
    this.#acts.unshift(...this.#watches(changed));
    const acts = this.#acts.splice(0, ACTS);
    const left = await this.#carry(acts);
    this.#full = left.length > 0;
    this.#acts.unshift(...left);
    // What was begun is made before more begins: no task says that it waits as a job before there is room for it.
    const next = await this.#turn(this.#acts.length === 0 ? undefined : 0);
    if (next === 'ended') return 'ended';
    // A job that is to be killed is made by nobody who comes later.
    const killed = new Set(next.flatMap((act) => (act.kind === 'kill' ? [act.jobId] : [])));
    const still = this.#acts.filter((act) => act.kind !== 'submit' || !killed.has(act.jobId));
    this.#acts = [...next, ...still];
    if (this.#full) return 'full';
    return this.#acts.length > 0 ? 'more' : 'idle';
  }

  /** What may have been lost is asked for again. @returns whether the bake has ended */
  async #lookAtAll(): Promise<boolean> {
    const { attempt } = this.#loaded;
    const { db } = this.#deps.database;
    const row = await db.selectFrom('flow_attempts').select('result').where('id', '=', attempt.id).executeTakeFirst();
    if (row === undefined) throw new TakenOver('its rows are gone');
    if (row.result === 'cancelled') this.#tell({ kind: 'cancel' });
    const going = this.#acts.length > 0 && !this.#full && row.result !== 'cancelled';
    if (going) return false;
    if ((await this.#turn(0)) === 'ended') return true;
    this.#acts = [...this.#core.outstanding(Date.now())];
    return false;
  }

  #watches(jobs: readonly string[]): readonly Act[] {
    return jobs.flatMap((jobId): Act[] => {
      const task = this.#taskOf.get(jobId);
      if (task === undefined) return [];
      // The end first, then its log.
      return [
        { kind: 'watch', task, jobId },
        { kind: 'read', task, jobId },
      ];
    });
  }

  /** Takes what was decided and writes it. @param starts tasks that may begin */
  async #turn(starts?: number): Promise<readonly Act[] | 'ended'> {
    const acts: Act[] = [];
    for (;;) {
      const turn = this.#core.turn(Date.now(), starts);
      if (turn.records.length > 0 || turn.result !== undefined) await this.#write(turn);
      if (turn.result !== undefined) return 'ended';
      acts.push(...turn.acts);
      if (!turn.more || turn.acts.length > 0 || starts === 0) return acts;
    }
  }

  async #write({ records, result }: Turn): Promise<void> {
    const { attempt, executor } = this.#loaded;
    const after = await this.#deps.database.tx(async (tx) => {
      await this.#fence(tx);
      const written = await writeChanges(tx, attempt, this.#records, records);
      await changeAttempt(tx, attempt, { result: result ?? 'running' });
      if (result !== undefined) await endExecutor(tx, attempt.id, executor, result);
      return written;
    });
    for (const [task, record] of after) {
      this.#records.set(task, record);
      const { jobId } = record;
      if (jobId === null) continue;
      if (isEnd(record)) this.#awaited.delete(jobId);
      else this.#taskOf.set(jobId, task);
    }
    const lines = records.map(({ task, status, why }) => {
      const jobId = this.#records.get(task)?.jobId;
      return `Task ${task}${jobId == null ? '' : ` (${jobId})`} is ${status}${why === undefined ? '' : `: ${why}`}`;
    });
    if (result !== undefined) lines.push(`Attempt #${attempt.number} ${result}`);
    await tellExecutor(this.#deps, executor, lines, result !== undefined);
  }

  /** Nobody else has taken it over: whoever does changes the row that is held here. @throws TakenOver */
  async #fence(tx: Tx): Promise<void> {
    const { attempt, turn } = this.#loaded;
    const row = await tx
      .selectFrom('flow_attempts')
      .select('engine_turn')
      .where('id', '=', attempt.id)
      .forShare()
      .executeTakeFirst();
    if (row?.engine_turn !== turn) throw new TakenOver(`attempt ${attempt.id} is carried out by another`);
  }

  #tell(event: Event): void {
    this.#core.tell(event, Date.now());
  }

  /** @returns jobs that cannot be made yet */
  async #carry(acts: readonly Act[]): Promise<readonly Act[]> {
    const left: Act[] = [];
    const ids = acts.flatMap((act) => (act.kind === 'look' || act.kind === 'local' ? [] : [act.jobId]));
    const seen = await this.#seen(ids);
    for (const act of acts) {
      if (act.kind === 'look') await this.#look(act);
      else if (act.kind === 'local')
        this.#tell({
          kind: 'refused',
          task: act.task,
          jobId: null,
          why: 'a local action runs on the machine of whoever bakes, before the platform goes on',
        });
      else {
        const record = this.#records.get(act.task);
        if (record === undefined || !isEnd(record)) this.#awaited.set(act.jobId, this.#loaded.attempt.id);
        const row = seen.get(act.jobId);
        if (act.kind === 'read') await this.#read(act);
        else if (act.kind === 'kill') await this.#kill(act, row);
        else if (row !== undefined) this.#tellJob(act.task, row);
        else if (act.kind === 'submit') {
          if (left.length > 0 || !(await this.#submit(act))) left.push(act);
        } else this.#tell({ kind: 'ended', task: act.task, jobId: act.jobId, status: 'lost', at: Date.now() });
      }
    }
    return left;
  }

  async #seen(ids: readonly string[]): Promise<ReadonlyMap<string, SeenJob>> {
    if (ids.length === 0) return new Map();
    const rows = await this.#deps.database.db
      .selectFrom('jobs')
      .select(['id', 'status', 'phase', 'first_started_at', 'started_at', 'finished_at'])
      .where('id', 'in', ids)
      .where('org', '=', this.#loaded.home.place.org)
      .where('project', '=', this.#loaded.home.project)
      .execute();
    return new Map(rows.map((row) => [row.id, row]));
  }

  #tellJob(task: string, { id: jobId, status, first_started_at: first, finished_at: end }: SeenJob): void {
    if (TERMINAL.has(status)) {
      this.#tell({
        kind: 'ended',
        task,
        jobId,
        status: status as 'succeeded',
        at: (end ?? new Date()).getTime(),
        ...(first === null ? {} : { startedAt: first.getTime() }),
      });
    } else this.#tell({ kind: 'job', task, jobId, status: status as 'running', at: (first ?? new Date()).getTime() });
  }

  async #look({ task, key, since }: Act & { readonly kind: 'look' }): Promise<void> {
    const { attempt } = this.#loaded;
    const entry = await this.#deps.database.db
      .selectFrom('flow_cache_entries')
      .select(['raw_id', 'outputs', 'state'])
      .where('flow', '=', attempt.flow)
      .where('batch', '=', attempt.batch)
      .where('task_id', '=', task)
      .where('key', '=', key)
      .where('created_at', '>', new Date(Math.max(since, 0)))
      .executeTakeFirst();
    const found = entry === undefined ? null : { jobId: entry.raw_id, outputs: entry.outputs, state: entry.state };
    this.#tell({ kind: 'looked', task, key, found });
  }

  async #read({ task, jobId }: Act & { readonly kind: 'read' }): Promise<void> {
    const results = await readResults(this.#deps.logs, jobId);
    if (results === undefined) return;
    if ('why' in results) this.#tell({ kind: 'refused', task, jobId, why: results.why });
    else this.#tell({ kind: 'log', task, jobId, ...results });
  }

  async #kill({ task, jobId }: Act & { readonly kind: 'kill' }, row: SeenJob | undefined): Promise<void> {
    if (row === undefined) {
      // It was never made, and nobody makes it any more: whoever could is fenced off.
      this.#tell({ kind: 'ended', task, jobId, status: 'cancelled', at: Date.now() });
      return;
    }
    const end = {
      status: 'cancelled',
      reason: 'Killed',
      description: `bake ${this.#loaded.attempt.bake} ends`,
    } as const;
    const stopped = await this.#deps.database.tx((tx) => stopJob(tx, jobId, end));
    this.#tellJob(task, stopped ?? row);
  }

  /**
   * As the API makes a job, for the bake's owner. What is refused for good fails the task.
   * @returns false where too many jobs wait already
   */
  async #submit({ task, jobId, job }: Act & { readonly kind: 'submit' }): Promise<boolean> {
    const { home, preset, executor } = this.#loaded;
    try {
      const authorization = await executor.authorization();
      const caller = await this.#deps.callerById(executor.user);
      const body = jobBody(job, { home, settings: this.#deps.settings, preset });
      const row = await submitJob(this.#deps, parseJobRequest(body, true), {
        caller,
        cluster: home.place.cluster,
        authorization,
        id: jobId,
        first: (tx) => this.#fence(tx),
      });
      this.#tellJob(task, row);
    } catch (error) {
      if (waits(error)) return false;
      const why = refusal(error);
      if (why === undefined) throw error;
      this.#tell({ kind: 'refused', task, jobId, why });
    }
    return true;
  }
}
