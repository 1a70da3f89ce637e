import { TERMINAL } from '@delos/core';
import { type Act, Bake, type Event, type ImageAct, type TaskRecord, type Turn } from '@delos/engine';
import { volumeOfReference } from '@delos/flow';
import { changeAttempt } from '../../db/flow/attempts.ts';
import { stopJob } from '../../db/jobs-state.ts';
import type { JobRow, Tx } from '../../db/schema.ts';
import type { ApiDeps } from '../deps.ts';
import { parseJobRequest } from '../resources/jobs/request.ts';
import { submitJob } from '../resources/jobs/submit.ts';
import { carryImageAct } from './build-images.ts';
import { endExecutor, tellExecutor } from './executor-row.ts';
import { writeImages } from './image-rows.ts';
import { jobBody } from './job-body.ts';
import { readResults } from './job-log.ts';
import type { LoadedBake } from './load.ts';
import { refusal } from './refusal.ts';
import { writeChanges } from './write-turn.ts';

type SeenJob = Pick<JobRow, 'id' | 'status' | 'phase' | 'first_started_at' | 'started_at' | 'finished_at'>;

/** What is to be carried out. */
interface Todo {
  readonly acts: readonly Act[];
  readonly builds: readonly ImageAct[];
}

/** Thrown where another control API has taken the bake over. */
class TakenOver extends Error {}

/** One attempt that the platform carries out: the engine's core, kept in step with rows. One step after the other. */
export class BakeRun {
  readonly #deps: ApiDeps;
  readonly #loaded: LoadedBake;
  readonly #core: Bake;
  #records: ReadonlyMap<string, TaskRecord>;
  /** Jobs that something is awaited of. */
  readonly jobs = new Set<string>();
  readonly #changed = new Set<string>();
  #full = true;
  #step: Promise<boolean> | undefined;

  constructor(deps: ApiDeps, loaded: LoadedBake) {
    this.#deps = deps;
    this.#loaded = loaded;
    this.#records = new Map(loaded.records.map((record) => [record.task, record]));
    this.#core = new Bake(
      loaded.tasks,
      {
        attempt: loaded.attempt.id,
        home: loaded.home,
        outside: { parseVolume: (text) => volumeOfReference(text, loaded.home.place) },
        tags: [`bake_id:${loaded.attempt.bake}`],
        cancelled: loaded.cancelled,
        images: loaded.images,
        ...(loaded.deadline === undefined ? {} : { deadline: loaded.deadline }),
      },
      loaded.records,
    );
  }

  /** Something of it may have changed: one job, or anything. */
  wake(job?: string): void {
    if (job === undefined) this.#full = true;
    else this.#changed.add(job);
  }

  /** Does what is to be done. @returns true once nothing is left @throws Error where the run is to be made anew */
  async step(): Promise<boolean> {
    // Whoever comes meanwhile waits for the step under way, and for one more.
    while (this.#step !== undefined) await this.#step.catch(() => undefined);
    this.#step = this.#run();
    try {
      return await this.#step;
    } finally {
      this.#step = undefined;
    }
  }

  async #run(): Promise<boolean> {
    const full = this.#full;
    const changed = [...this.#changed];
    this.#full = false;
    this.#changed.clear();
    if (full) {
      const { attempt } = this.#loaded;
      const { db } = this.#deps.database;
      const row = await db.selectFrom('flow_attempts').select('result').where('id', '=', attempt.id).executeTakeFirst();
      if (row === undefined) throw new TakenOver('its rows are gone');
      if (row.result === 'cancelled') this.#tell({ kind: 'cancel' });
    } else if (changed.length === 0) return false;
    let todo = full ? await this.#turn() : this.#watches(changed);
    if (todo === 'ended') return true;
    if (full) todo = { acts: this.#core.outstanding(Date.now()), builds: this.#core.outstandingBuilds() };
    for (;;) {
      await this.#carry(todo.acts);
      for (const build of todo.builds) await this.#carryImage(build);
      const next = await this.#turn();
      if (next === 'ended') return true;
      if (next.acts.length + next.builds.length === 0) return false;
      todo = next;
    }
  }

  #watches(jobs: readonly string[]): Todo {
    const builds = this.#core.outstandingBuilds().filter((act) => act.kind !== 'find' && jobs.includes(act.jobId));
    return { builds, acts: this.#watchesOfTasks(jobs) };
  }

  #watchesOfTasks(jobs: readonly string[]): readonly Act[] {
    const tasks = new Map([...this.#records.values()].map(({ jobId, task }) => [jobId, task]));
    return jobs.flatMap((jobId): Act[] => {
      const task = tasks.get(jobId);
      if (task === undefined) return [];
      // The end first, then its log.
      return [
        { kind: 'watch', task, jobId },
        { kind: 'read', task, jobId },
      ];
    });
  }

  /** Takes what was decided and writes it. */
  async #turn(): Promise<Todo | 'ended'> {
    const acts: Act[] = [];
    const builds: ImageAct[] = [];
    for (;;) {
      const turn = this.#core.turn(Date.now());
      if (turn.records.length + turn.images.length > 0 || turn.result !== undefined) await this.#write(turn);
      if (turn.result !== undefined) return 'ended';
      acts.push(...turn.acts);
      builds.push(...turn.builds);
      if (!turn.more || turn.acts.length > 0) return { acts, builds };
    }
  }

  async #write({ records, images, result }: Turn): Promise<void> {
    const { attempt, executor } = this.#loaded;
    const after = await this.#deps.database.tx(async (tx) => {
      await this.#fence(tx);
      const written = await writeChanges(tx, attempt, this.#records, records);
      await writeImages(tx, attempt.bake, images);
      await changeAttempt(tx, attempt, { result: result ?? 'running' });
      if (result !== undefined) await endExecutor(tx, attempt.id, executor, result);
      return written;
    });
    this.#records = new Map([...this.#records, ...after]);
    const lines = images.map(
      ({ ref, status, jobId }) => `Image ${ref} is ${status}${jobId === undefined ? '' : `, builder job: ${jobId}`}`,
    );
    const told = records.map(({ task, status, why }) => {
      const jobId = this.#records.get(task)?.jobId;
      return `Task ${task}${jobId == null ? '' : ` (${jobId})`} is ${status}${why === undefined ? '' : `: ${why}`}`;
    });
    lines.push(...told);
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

  async #carry(acts: readonly Act[]): Promise<void> {
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
        this.jobs.add(act.jobId);
        const row = seen.get(act.jobId);
        if (act.kind === 'read') await this.#read(act);
        else if (act.kind === 'kill') await this.#kill(act, row);
        else if (row !== undefined) this.#tellJob(act.task, row);
        else if (act.kind === 'submit') await this.#submit(act);
        else this.#tell({ kind: 'ended', task: act.task, jobId: act.jobId, status: 'lost', at: Date.now() });
      }
    }
  }

  async #carryImage(act: ImageAct): Promise<void> {
    if (act.kind !== 'find') this.jobs.add(act.jobId);
    const of = { loaded: this.#loaded, fence: (tx: Tx) => this.#fence(tx) };
    const event = await carryImageAct(this.#deps, of, act);
    if (event !== undefined) this.#core.tellImage(event, Date.now());
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

  /** As the API makes a job, for the bake's owner. What is refused for good fails the task. */
  async #submit({ task, jobId, job }: Act & { readonly kind: 'submit' }): Promise<void> {
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
      const why = refusal(error);
      if (why === undefined) throw error;
      this.#tell({ kind: 'refused', task, jobId, why });
    }
  }
}
