import { type Act, Bake, changed, type Event, type Found, type JobSpec, type TaskRecord } from '@delos/engine';
import { LogCommands } from '@delos/flow';
import { type FlowFiles, HOME, tasksOf } from './plans.ts';

/** A flow, and what its jobs do: by ids of tasks. What is not said succeeds after one look. */
export interface Script {
  readonly files: FlowFiles;
  readonly params?: Readonly<Record<string, string>>;
  readonly jobs?: Readonly<Record<string, ScriptedJob>>;
  /** The bake is cancelled when the job of this task is made. */
  readonly cancelOn?: string;
  /** How often the flow is baked, one after the other. */
  readonly bakes?: number;
  /** Compare how many jobs there are at once. */
  readonly counts?: boolean;
  /** The authority leaves the tasks as they are where it fails: only the result can be compared. */
  readonly breaks?: boolean;
}
export interface ScriptedJob {
  readonly status?: 'succeeded' | 'failed' | 'cancelled';
  readonly log?: string;
  /** How often it is seen to run. */
  readonly turns?: number;
}

/** How the authority, and Delos, end a script. */
export interface Outcome {
  readonly bakes: readonly BakeOutcome[];
  /** Keys of the cache, by task. */
  readonly keys: Readonly<Record<string, string>>;
}
export interface BakeOutcome {
  readonly result: string;
  readonly tasks: Readonly<Record<string, { statuses: readonly string[]; outputs: unknown; state: unknown }>>;
  readonly jobs: Readonly<
    Record<string, { cmd: string | null; env: object; volumes: readonly string[]; tags: readonly string[] }>
  >;
  /** Most jobs that were there at once. */
  readonly most: number;
}

interface Job {
  readonly task: string;
  readonly plan: ScriptedJob;
  looks: number;
  killed: boolean;
  end: Event | undefined;
}

/** Bakes a script with jobs that answer at once. `anew`: the engine is made of the records again at every step. */
export function playScript(script: Script, { anew = false } = {}): Outcome {
  const kept = new Map<string, Found & { readonly key: string }>();
  const bakes = Array.from({ length: script.bakes ?? 1 }, (_, number) =>
    playBake(script, `attempt-${number}`, kept, anew),
  );
  return { bakes, keys: Object.fromEntries([...kept].map(([task, { key }]) => [task, key])) };
}

function playBake(
  script: Script,
  attempt: string,
  kept: Map<string, Found & { readonly key: string }>,
  anew: boolean,
): BakeOutcome {
  const tasks = tasksOf(script.files, script.params);
  const rows = new Map<string, TaskRecord>();
  let cancelling = false;
  let cancelled = false;
  const made = (): Bake => new Bake(tasks, { attempt, home: HOME, cancelled }, [...rows.values()]);
  let bake = made();
  const jobs = new Map<string, Job>();
  const specs = new Map<string, JobSpec>();
  let most = 0;
  for (let now = 1000; now < 200_000; now += 1000) {
    for (;;) {
      const { records, acts: decided, result } = bake.turn(now);
      let acts = decided;
      for (const change of records) {
        const row = changed(rows.get(change.task), change);
        rows.set(change.task, row);
        const { keep } = change;
        if (keep !== undefined)
          kept.set(change.task, {
            key: keep.key,
            jobId: row.jobId,
            outputs: row.outputs ?? {},
            state: row.state ?? {},
          });
      }
      if (result !== undefined) return { result, tasks: told(rows), jobs: described(specs), most };
      if (acts.length === 0) break;
      const isNew = (act: Act): boolean =>
        act.kind === 'submit' ? !jobs.has(act.jobId) : act.kind === 'kill' && jobs.get(act.jobId)?.killed === false;
      if (anew && acts.some(isNew)) {
        // What was decided is forgotten, and decided again.
        bake = made();
        acts = bake.outstanding(now);
      }
      for (const act of acts) {
        switch (act.kind) {
          case 'submit': {
            const before = jobs.get(act.jobId);
            if (before?.end !== undefined) bake.tell(before.end, now);
            if (before !== undefined) break;
            jobs.set(act.jobId, {
              task: act.task,
              plan: script.jobs?.[act.task] ?? {},
              looks: 0,
              killed: false,
              end: undefined,
            });
            specs.set(act.task, act.job);
            most = Math.max(most, [...jobs.values()].filter(({ end }) => end === undefined).length);
            cancelling ||= act.task === script.cancelOn;
            break;
          }
          case 'watch': {
            const end = jobs.get(act.jobId)?.end;
            if (end !== undefined) bake.tell(end, now);
            break;
          }
          case 'kill': {
            const job = jobs.get(act.jobId);
            if (job !== undefined) job.killed = true;
            if (job?.end !== undefined) bake.tell(job.end, now);
            break;
          }
          case 'read':
            bake.tell(
              { kind: 'log', task: act.task, jobId: act.jobId, ...readLog(jobs.get(act.jobId)?.plan.log) },
              now,
            );
            break;
          case 'look': {
            const found = kept.get(act.task);
            const hit = found !== undefined && found.key === act.key;
            bake.tell({ kind: 'looked', task: act.task, key: act.key, found: hit ? found : null }, now);
            break;
          }
          case 'local':
            bake.tell({ kind: 'refused', task: act.task, jobId: null, why: 'no machine of the user' }, now);
        }
      }
    }
    for (const [jobId, job] of jobs) if (job.end === undefined) bake.tell(seen(jobId, job, now), now);
    // The authority looks at its jobs first.
    if (cancelling && !cancelled) {
      cancelled = true;
      bake.tell({ kind: 'cancel' }, now);
    }
  }
  throw new Error(`the bake does not end: ${JSON.stringify([...bake.statuses()])}`);
}

function seen(jobId: string, job: Job, at: number): Event {
  job.looks += 1;
  const { task, plan } = job;
  const over = job.looks > (plan.turns ?? 1);
  if (!job.killed && !over) return { kind: 'job', task, jobId, status: 'running', at };
  job.end = { kind: 'ended', task, jobId, status: job.killed ? 'cancelled' : (plan.status ?? 'succeeded'), at };
  return job.end;
}

export function readLog(text = ''): {
  readonly outputs: Record<string, string>;
  readonly state: Record<string, string>;
} {
  const reader = new LogCommands();
  reader.push(new TextEncoder().encode(text));
  reader.end();
  return { outputs: Object.fromEntries(reader.outputs), state: Object.fromEntries(reader.states) };
}

const told = (rows: ReadonlyMap<string, TaskRecord>): BakeOutcome['tasks'] =>
  Object.fromEntries(
    [...rows].map(([task, { statuses, outputs, state }]) => [
      task,
      { statuses: statuses.map(({ status }) => status), outputs, state },
    ]),
  );

const described = (specs: ReadonlyMap<string, JobSpec>): BakeOutcome['jobs'] =>
  Object.fromEntries([...specs].map(([task, { cmd, env, volumes, tags }]) => [task, { cmd, env, volumes, tags }]));
