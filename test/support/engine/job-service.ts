import type { Act, BatchTask, Event, Texts } from '@delos/engine';

/** What a job does once it is made. */
export interface Fate {
  readonly status: 'succeeded' | 'failed' | 'cancelled' | 'lost';
  readonly startsAfter: number;
  readonly lasts: number;
}

interface Job {
  readonly id: string;
  readonly task: string;
  readonly try: number;
  readonly cmd: string;
  phase: 'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'lost';
  startedAt: number | undefined;
  endedAt: number | undefined;
}

const OVER: ReadonlySet<Job['phase']> = new Set(['succeeded', 'failed', 'cancelled', 'lost']);

/**
 * The platform's jobs: made once by their ids, killed by their ids also before they are made, and they tell of themselves,
 * which may be lost.
 */
export class JobService {
  readonly jobs = new Map<string, Job>();
  readonly #refused = new Set<string>();
  readonly #fate: (jobId: string) => Fate;
  readonly #later: (after: number, run: () => void) => void;
  readonly #say: (event: Event) => void;
  readonly #made: (job: Job) => void;
  now = 0;

  constructor(options: {
    readonly fate: (jobId: string) => Fate;
    readonly later: (after: number, run: () => void) => void;
    readonly say: (event: Event) => void;
    readonly made: (job: Job) => void;
  }) {
    this.#fate = options.fate;
    this.#later = options.later;
    this.#say = options.say;
    this.#made = options.made;
  }

  do(act: Act): void {
    if (act.kind === 'look' || act.kind === 'local') return;
    const job = this.jobs.get(act.jobId);
    if (act.kind === 'submit' && job === undefined && !this.#refused.has(act.jobId)) this.#make(act);
    else if (act.kind === 'kill' && job === undefined) this.#refused.add(act.jobId);
    else if (act.kind === 'kill' && job !== undefined) this.#end(job, 'cancelled');
    else if (act.kind === 'read' && job !== undefined && OVER.has(job.phase)) {
      this.#say({ kind: 'log', task: job.task, jobId: job.id, ...logOf(job) });
      return;
    }
    this.#tell(act.task, act.jobId);
  }

  #make({ jobId, task, try: number, job }: Act & { readonly kind: 'submit' }): void {
    const made: Job = {
      id: jobId,
      task,
      try: number,
      cmd: job.cmd ?? '',
      phase: 'pending',
      startedAt: undefined,
      endedAt: undefined,
    };
    this.#made(made);
    this.jobs.set(jobId, made);
    const { status, startsAfter, lasts } = this.#fate(jobId);
    this.#later(startsAfter, () => {
      if (made.phase !== 'pending') return;
      made.phase = 'running';
      made.startedAt = this.now;
      this.#tell(task, jobId);
    });
    this.#later(startsAfter + lasts, () => this.#end(made, status));
  }

  #end(job: Job, phase: Job['phase']): void {
    if (OVER.has(job.phase)) return;
    job.phase = phase;
    job.endedAt = this.now;
    this.#tell(job.task, job.id);
  }

  /** How a job is. One that is not to be made is as good as cancelled. */
  #tell(task: string, jobId: string): void {
    const job = this.jobs.get(jobId);
    if (job === undefined) {
      if (this.#refused.has(jobId)) this.#say({ kind: 'ended', task, jobId, status: 'cancelled', at: this.now });
      return;
    }
    const { phase, startedAt, endedAt } = job;
    if (phase === 'pending' || phase === 'running')
      this.#say({ kind: 'job', task, jobId, status: phase, at: startedAt ?? this.now });
    else
      this.#say({
        kind: 'ended',
        task,
        jobId,
        status: phase,
        at: endedAt ?? this.now,
        ...(startedAt === undefined ? {} : { startedAt }),
      });
  }

  /** Log of a job that was never made: nothing. */
  emptyLog(task: string, jobId: string): void {
    if (!this.jobs.has(jobId)) this.#say({ kind: 'log', task, jobId, outputs: {}, state: {} });
  }
}

/** What a job writes: it follows from the job alone, so that it can be known whether it was lost. */
export function logOf({ id, startedAt }: { readonly id: string; readonly startedAt?: number | undefined }): {
  readonly outputs: Texts;
  readonly state: Texts;
} {
  return startedAt === undefined ? { outputs: {}, state: {} } : { outputs: { x: `of ${id}` }, state: { token: id } };
}

export const isPost = ({ run }: BatchTask): boolean => run.stateFrom !== undefined;
