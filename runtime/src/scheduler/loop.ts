import type { Logger } from 'pino';
import type { Database } from '../db/database.ts';
import type { JobEvent } from '../db/job-machine.ts';
import { applyEvent, recordWaiting, sealLogs, stopJob, type WaitingJob } from '../db/jobs-state.ts';
import { NODES_CHANGED } from '../db/notifications.ts';
import type { Db } from '../db/schema.ts';
import { due } from './clock.ts';
import { decide } from './core.ts';
import { loadSurroundings } from './load.ts';
import { JobMirror } from './mirror.ts';
import { Wake } from './wake.ts';

/** Clocks are looked at this often; a notification wakes at once. */
const TICK_MS = 1_000;
/** Everything is read again this often, since a notification may be lost. */
const SWEEP_MS = 15_000;
const ADMIT_BATCH = 50;
const WAITING_BATCH = 1_000;
const AGENT_SILENT_MS = 60_000;

export interface LoopObserver {
  readonly round: (round: { readonly seconds: number; readonly queued: number; readonly admitted: number }) => void;
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
  // Reads may go anywhere; what is written goes over the connection that holds the lock.
  const mirror = new JobMirror(database.db, cluster);
  const wake = new Wake();
  const dirty = new Set<string>();
  let changed = true;
  let sweepAt = 0;
  const unsubscribe = [
    database.notifications.onJobChanged((change) => {
      if (change.cluster !== cluster) return;
      dirty.add(change.id);
      wake.wake();
    }),
    database.notifications.on(NODES_CHANGED, () => {
      changed = true;
      wake.wake();
    }),
    database.notifications.onRenewed(() => {
      sweepAt = 0;
      wake.wake();
    }),
  ];
  const onAbort = (): void => wake.wake();
  signal.addEventListener('abort', onAbort);
  try {
    while (!signal.aborted) {
      if (Date.now() >= sweepAt) {
        dirty.clear();
        await mirror.reload();
        sweepAt = Date.now() + SWEEP_MS;
        changed = true;
      } else if (dirty.size > 0) {
        const ids = [...dirty];
        dirty.clear();
        changed = (await mirror.refresh(ids)) || changed;
      }
      await runClocks(connection, mirror, log, (id) => dirty.add(id));
      if (changed) {
        changed = false;
        await round(connection, database.db, mirror, cluster, log, observer, (id) => dirty.add(id));
      }
      // What was written here is notified, too; no need to wait for that.
      if (dirty.size === 0) await wake.wait(TICK_MS);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    for (const off of unsubscribe) off();
  }
}

async function runClocks(db: Db, mirror: JobMirror, log: Logger, touched: (id: string) => void): Promise<void> {
  const now = new Date();
  for (const [id, job] of mirror.jobs) {
    if (due(job, now) === undefined) continue;
    await db.transaction().execute(async (tx) => {
      // The row may have changed since: its life-span may have been extended.
      const row = await tx.selectFrom('jobs').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
      const what = row === undefined ? undefined : due(row, now);
      if (what === undefined) return;
      log.info({ job: id, due: what }, 'time is over');
      if (what.type === 'seal') await sealLogs(tx, id, false);
      else await stopJob(tx, id, what);
    });
    touched(id);
  }
}

async function round(
  db: Db,
  reader: Db,
  mirror: JobMirror,
  cluster: string,
  log: Logger,
  observer: LoopObserver,
  touched: (id: string) => void,
): Promise<void> {
  const start = performance.now();
  const jobs = [...mirror.jobs.values()];
  const queued = jobs.flatMap((job) => job.queued ?? []);
  if (queued.length === 0) return;
  const surroundings = await loadSurroundings(reader, cluster);
  const now = new Date();
  const decisions = decide({ now, ...surroundings, active: jobs.flatMap((job) => job.active ?? []), queued });
  for (let index = 0; index < decisions.admit.length; index += ADMIT_BATCH) {
    const batch = decisions.admit.slice(index, index + ADMIT_BATCH);
    await db.transaction().execute(async (tx) => {
      for (const { id, pool } of batch) await applyEvent(tx, id, admission(pool));
    });
    for (const { id } of batch) touched(id);
  }
  const silent = agentSilence(surroundings.agentSeenAt, now);
  const waiting = decisions.waiting
    .map((job) => (silent === '' ? job : { ...job, description: job.description + silent }))
    .filter((job) => isNews(mirror, job));
  for (let index = 0; index < waiting.length; index += WAITING_BATCH) {
    const batch = waiting.slice(index, index + WAITING_BATCH);
    await db.transaction().execute((tx) => recordWaiting(tx, batch));
    for (const { id } of batch) touched(id);
  }
  const seconds = (performance.now() - start) / 1000;
  observer.round({ seconds, queued: queued.length, admitted: decisions.admit.length });
  log.debug({ queued: queued.length, admitted: decisions.admit.length, waiting: waiting.length, seconds }, 'round');
}

function admission(pool: string): JobEvent {
  return { type: 'admit', pool, description: `admitted to pool ${pool}, waits for its Pod` };
}

function isNews(mirror: JobMirror, job: WaitingJob): boolean {
  const known = mirror.jobs.get(job.id);
  return known === undefined || known.reason !== job.reason || known.description !== job.description;
}

function agentSilence(seenAt: Date | null, now: Date): string {
  if (seenAt === null) return "; the cluster's agent has not connected yet";
  if (now.getTime() - seenAt.getTime() < AGENT_SILENT_MS) return '';
  return `; the cluster's agent has not been heard of since ${seenAt.toISOString()}`;
}
