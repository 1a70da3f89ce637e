import {
  Bake,
  type BakeOptions,
  type BakeResult,
  type BatchTask,
  changed,
  type Event,
  type Found,
  type ImageEvent,
  isFinished,
  jobIdOf,
  type RecordChange,
  type TaskRecord,
} from '@delos/engine';
import { seeded } from '../random.ts';
import { ImageService } from './image-service.ts';
import { isPost, JobService, logOf } from './job-service.ts';
import { HOME, type Plan } from './plans.ts';

/** How often what goes wrong, in this run. */
interface Trouble {
  readonly loss: number;
  readonly twice: number;
  readonly crash: number;
  readonly slow: number;
}

const SWEEP = 200;
/** A bake that has not ended by then never does: jobs last some 100 ms. */
const LONGEST = 400_000;
const TRIES = 4;

/**
 * One bake with its jobs, in simulated time: messages between engine and jobs are lost, late and doubled, and the engine
 * is killed at every step. Throws where what must hold does not.
 */
export class Simulation {
  readonly #random: () => number;
  readonly #trouble: Trouble;
  readonly #tasks: readonly BatchTask[];
  readonly #byId: ReadonlyMap<string, BatchTask>;
  readonly #options: BakeOptions;
  readonly #service: JobService;
  readonly #images: ImageService;
  /** What outlives a crash. */
  readonly #rows = new Map<string, TaskRecord>();
  readonly #kept = new Map<string, Found>();
  #cancelled = false;
  #result: BakeResult | undefined;
  #bake: Bake | undefined;
  /** Events and acts under way, by their time. */
  readonly #queue: { readonly at: number; readonly run: () => void }[] = [];
  #now = 1000;
  readonly seen = { crashes: 0, lost: 0, jobs: 0, retries: 0, cached: 0, builds: 0, broken: 0 };

  constructor(seed: number, { tasks, images }: Plan, kept: ReadonlyMap<string, Found> = new Map()) {
    const random = seeded(seed);
    this.#random = random;
    this.#tasks = tasks;
    this.#byId = new Map(tasks.map((task) => [task.id, task]));
    for (const [key, found] of kept) this.#kept.set(key, found);
    const bad = random();
    this.#trouble = {
      loss: bad * 0.3 * random(),
      twice: bad * 0.3 * random(),
      crash: bad * 0.1 * random(),
      slow: random() * 0.2,
    };
    const failing = random() < 0.5 ? 0.15 * random() : 0;
    const losing = random() < 0.5 ? 0.3 * random() : 0;
    this.#options = {
      attempt: `attempt-${seed}`,
      home: HOME,
      tries: TRIES,
      startsPerTurn: 1 + Math.floor(random() * 20),
      ...(random() < 0.1 ? { deadline: 1000 + 1500 * random() } : {}),
    };
    this.#service = new JobService({
      fate: () => {
        const roll = random();
        const status =
          roll < losing
            ? 'lost'
            : roll < losing + failing
              ? 'failed'
              : roll < losing + 1.2 * failing
                ? 'cancelled'
                : 'succeeded';
        return { status, startsAfter: 1 + 50 * random(), lasts: 1 + 150 * random() };
      },
      later: (after, run) => this.#at(this.#now + after, run),
      say: (event) => this.#send(() => this.#hear(event)),
      made: (job) => this.#made(job),
    });
    const there = random();
    this.#images = new ImageService(images, {
      attempt: this.#options.attempt,
      has: () => random() < there,
      fate: () => {
        const roll = random();
        return {
          end: roll < losing ? 'lost' : roll < losing + failing ? 'failed' : 'succeeded',
          lasts: 1 + 300 * random(),
        };
      },
      later: (after, run) => this.#at(this.#now + after, run),
      say: (event) => this.#send(() => this.#hearImage(event)),
    });
    if (random() < 0.25) {
      this.#at(this.#now + 1500 * random(), () => {
        this.#cancelled = true;
        this.#send(() => this.#hear({ kind: 'cancel' }));
      });
    }
  }

  get kept(): ReadonlyMap<string, Found> {
    return this.#kept;
  }
  get rows(): ReadonlyMap<string, TaskRecord> {
    return this.#rows;
  }

  /** @throws Error with what does not hold */
  run(): BakeResult {
    this.#at(this.#now, () => this.#start());
    this.#at(this.#now + SWEEP, () => this.#sweep());
    while (this.#result === undefined) {
      const next = this.#queue.shift();
      if (next === undefined) throw new Error('nothing happens any more, and the bake has not ended');
      this.#now = next.at;
      this.#service.now = next.at;
      if (this.#now > LONGEST) throw new Error(`the bake does not end: ${this.#told()}`);
      next.run();
    }
    this.#checkEnd(this.#result);
    return this.#result;
  }

  #at(at: number, run: () => void): void {
    let index = this.#queue.length;
    while (index > 0 && (this.#queue[index - 1]?.at ?? 0) > at) index -= 1;
    this.#queue.splice(index, 0, { at, run });
  }

  /** Over the network: late, never, or twice. */
  #send(run: () => void): void {
    const { loss, twice, slow } = this.#trouble;
    if (this.#random() < loss) {
      this.seen.lost += 1;
      return;
    }
    for (let copies = this.#random() < twice ? 2 : 1; copies > 0; copies -= 1)
      this.#at(this.#now + this.#random() * (this.#random() < slow ? 500 : 10), run);
  }

  /** Whether the engine is killed here. It comes back after a while, with what was written. */
  #killed(): boolean {
    if (this.#random() >= this.#trouble.crash) return false;
    this.seen.crashes += 1;
    this.#bake = undefined;
    this.#at(this.#now + 1 + this.#random() * 300, () => this.#start());
    return true;
  }

  #start(): void {
    const records = [...this.#rows.values()];
    const images = [...this.#images.rows.values()];
    this.#bake = new Bake(this.#tasks, { ...this.#options, images, cancelled: this.#cancelled }, records);
    this.#follow();
    if (this.#bake !== undefined) this.#ask(this.#bake);
  }

  #sweep(): void {
    const bake = this.#bake;
    if (bake !== undefined) {
      if (this.#cancelled) bake.tell({ kind: 'cancel' }, this.#now);
      this.#follow();
      if (this.#bake === bake) this.#ask(bake);
    }
    this.#at(this.#now + SWEEP, () => this.#sweep());
  }

  #ask(bake: Bake): void {
    for (const act of bake.outstanding(this.#now)) {
      if (this.#killed()) return;
      this.#do(act);
    }
    for (const act of bake.outstandingBuilds()) this.#send(() => this.#images.do(act));
  }

  #hearImage(event: ImageEvent): void {
    if (this.#bake === undefined) return;
    this.#bake.tellImage(event, this.#now);
    this.#follow();
  }

  #hear(event: Event): void {
    if (this.#bake === undefined) return;
    this.#bake.tell(event, this.#now);
    this.#follow();
  }

  /** Takes what was decided, writes it, and carries it out. */
  #follow(): void {
    for (let more = true; more && this.#bake !== undefined; ) {
      const turn = this.#bake.turn(this.#now);
      more = turn.more;
      if (this.#killed()) return;
      for (const change of turn.images) this.#images.write(change);
      for (const change of turn.records) this.#write(change);
      this.#checkPlaces();
      if (turn.result !== undefined) {
        this.#result = turn.result;
        return;
      }
      for (const act of turn.acts) {
        if (this.#killed()) return;
        this.#do(act);
      }
      for (const act of turn.builds) {
        if (this.#killed()) return;
        this.#send(() => this.#images.do(act));
      }
    }
  }

  #do(act: Parameters<JobService['do']>[0]): void {
    this.#send(() => {
      if (act.kind === 'look') {
        const found = this.#kept.get(act.key) ?? null;
        this.#send(() => this.#hear({ kind: 'looked', task: act.task, key: act.key, found }));
        return;
      }
      if (act.kind === 'submit') this.#images.checkStart(act.task, act.job.image);
      this.#service.do(act);
      if (act.kind === 'read') this.#service.emptyLog(act.task, act.jobId);
    });
  }

  #write(change: RecordChange): void {
    const before = this.#rows.get(change.task);
    const last = before?.statuses.at(-1)?.status;
    if (last !== undefined && isFinished(last))
      throw new Error(`${change.task} ended twice: ${last}, ${change.status}`);
    if (last === change.status && last !== 'pending') throw new Error(`${change.task} is ${last} twice`);
    const row = changed(before, change);
    this.#rows.set(change.task, row);
    if (change.keep !== undefined)
      this.#kept.set(change.keep.key, { jobId: row.jobId, outputs: row.outputs ?? {}, state: row.state ?? {} });
  }

  #made(job: { readonly id: string; readonly task: string; readonly try: number; readonly cmd: string }): void {
    this.seen.jobs += 1;
    if (job.try > 1) this.seen.retries += 1;
    if (job.id !== jobIdOf(this.#options.attempt, job.task, job.try))
      throw new Error(`${job.task}: a job of another id`);
    const others = [...this.#service.jobs.values()].filter(({ task }) => task === job.task);
    for (const other of others) {
      if (other.id === job.id) throw new Error(`${job.task}: the job of try ${job.try} was made twice`);
      if (other.phase !== 'lost')
        throw new Error(`${job.task}: try ${job.try}, though try ${other.try} is ${other.phase}`);
    }
    const row = this.#rows.get(job.task);
    if (row?.jobId !== job.id) throw new Error(`${job.task}: a job that no row tells of`);
    const task = this.#byId.get(job.task);
    const needs = Object.entries(task?.needs ?? {});
    const given: Record<string, unknown> = {};
    for (const [id, level] of needs) {
      const need = this.#rows.get(id);
      const status = need?.statuses.at(-1)?.status;
      const ran = need?.statuses.some((one) => one.status === 'running') === true;
      const met = status !== undefined && (isFinished(status) || (level === 'running' && ran));
      if (!met) throw new Error(`${job.task} has started, though ${id} is ${status ?? 'not there'}`);
      const result = status === 'cached' ? 'succeeded' : status;
      if (level === 'completed') given[id.split('.').at(-1) ?? id] = { result, outputs: need?.outputs ?? {} };
    }
    const told = sorted(JSON.parse(job.cmd));
    if (told !== sorted(given)) throw new Error(`${job.task} was given ${told} instead of ${sorted(given)}`);
  }

  #checkPlaces(): void {
    for (const task of this.#tasks) {
      if (task.run.strategy.maxParallel > 3n) continue;
      const row = this.#rows.get(task.id);
      // Counted when it starts: those that started later may have a higher limit.
      const [first, second] = row?.statuses ?? [];
      const starts = first?.status === 'pending' && first.at === this.#now && second === undefined;
      if (!starts || row?.jobId == null) continue;
      const before = [...this.#rows.values()].filter(({ task: id, jobId, statuses }) => {
        const first = statuses[0];
        const open = !isFinished(statuses.at(-1)?.status ?? 'skipped');
        return id !== task.id && jobId !== null && open && first !== undefined && first.at < this.#now;
      });
      if (before.length >= task.run.strategy.maxParallel)
        throw new Error(`${task.id} started beside ${before.length} others`);
    }
  }

  #checkEnd(result: string): void {
    this.#images.checkEnd();
    Object.assign(this.seen, this.#images.seen);
    const open = [...this.#service.jobs.values()].filter(({ phase }) => phase === 'pending' || phase === 'running');
    if (open.length > 0) throw new Error(`the bake has ended, and ${open.map(({ task }) => task).join(', ')} goes on`);
    let failed = false;
    for (const task of this.#tasks) {
      const row = this.#rows.get(task.id);
      const status = row?.statuses.at(-1)?.status;
      failed ||= status === 'failed' || status === 'cancelled';
      if (status !== undefined && !isFinished(status))
        throw new Error(`the bake has ended, and ${task.id} is ${status}`);
      if (!task.id.includes('.') && row === undefined) throw new Error(`the bake has ended without ${task.id}`);
      const job = row?.jobId == null ? undefined : this.#service.jobs.get(row.jobId);
      if (status === 'cached') this.seen.cached += 1;
      else if (job !== undefined && row !== undefined) {
        if (job.phase !== 'lost' && status !== job.phase)
          throw new Error(`${task.id} is ${status}, its job ${job.phase}`);
        const log = job.phase === 'lost' ? { outputs: {}, state: {} } : logOf(job);
        if (sorted(row.outputs) !== sorted(log.outputs) || sorted(row.state) !== sorted(log.state))
          throw new Error(`${task.id}: outputs were lost`);
      }
      // A post step that was ever due has run, whatever became of the rest.
      if (isPost(task) && this.#rows.has(task.run.stateFrom ?? '') && status === 'skipped')
        throw new Error(`the post step ${task.id} did not run`);
    }
    if (result === 'succeeded' && failed) throw new Error('the bake has succeeded though a task has not');
    if (result === 'failed' && !failed && this.#options.deadline === undefined)
      throw new Error('the bake has failed for nothing');
    if (result === 'cancelled' && !failed && !this.#cancelled) throw new Error('the bake was cancelled by nobody');
  }

  #told(): string {
    return [...this.#rows.values()].map(({ task, statuses }) => `${task} ${statuses.at(-1)?.status}`).join(', ');
  }
}

function sorted(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
