import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { sql } from 'kysely';
import { expect } from 'vitest';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { applyEvent } from '../../../runtime/service/src/db/jobs-state.ts';
import { type FollowOptions, followLog } from '../../../runtime/service/src/logs/follow.ts';
import type { AppendedBytes, LogKey, LogStore } from '../../../runtime/service/src/logs/log-store.ts';
import { LogTails } from '../../../runtime/service/src/logs/tails.ts';
import { observation } from '../service/observer.ts';

/* Jobs whose logs a test writes, as a collector would bring them. */

let jobs = 0;

/** A job whose container runs. @param project of the organization `default` */
export async function runningJob(database: Database, project = 'default'): Promise<LogKey> {
  const jobId = `job-00000000-0000-4000-8000-${String(++jobs).padStart(12, '0')}`;
  await sql`insert into jobs (id, cluster, org, project, owner, preset, request, spec) values
    (${jobId}, 'default', 'default', ${project}, 'admin', 'cpu-small', '{}', '{"restartPolicy": "never"}')`.execute(
    database.db,
  );
  const pod = observation(jobId, { podUid: 'uid' });
  await database.tx((tx) => applyEvent(tx, jobId, { type: 'admit', pool: 'default', node: 'node-1', description: '' }));
  await database.tx((tx) => applyEvent(tx, jobId, { type: 'observe', observation: pod }));
  return { jobId, podUid: 'uid', attempt: 0 };
}

/** Its container has ended, its log is sealed and its Pod is gone. */
export async function endJob(database: Database, store: LogStore, key: LogKey, daysAgo = 0): Promise<void> {
  const { jobId, podUid } = key;
  const ended = observation(jobId, { podUid, phase: 'succeeded', exitCode: 0 });
  await database.tx((tx) => applyEvent(tx, jobId, { type: 'observe', observation: ended }));
  await store.finish(key, { offset: (await store.position(key))?.length ?? 0, complete: true });
  await database.tx((tx) => applyEvent(tx, jobId, { type: 'removed', run: 0, podUid }));
  await sql`update jobs set finished_at = now() - make_interval(days => ${daysAgo}::int) where id = ${jobId}`.execute(
    database.db,
  );
}

let lines = 0;
/** A line as the runtime writes it. @param at its time @default a nanosecond after the one before */
export function criLine(text: string, at?: Date): Buffer {
  lines += 1;
  const time = at?.toISOString().replace('Z', '000000Z') ?? `2026-01-01T00:00:00.${String(lines).padStart(9, '0')}Z`;
  return Buffer.from(`${time} stdout F ${text}\n`);
}

/** A line of so many bytes, as hard to compress as hexadecimals are. */
export const noiseLine = (bytes: number): Buffer => criLine(randomBytes(Math.floor((bytes - 41) / 2)).toString('hex'));

/** What the container wrote. */
export const contentOf = (line: Buffer): string => line.subarray(line.indexOf(' F ') + 3).toString();

export async function appendLine(
  store: LogStore,
  key: LogKey,
  bytes: Buffer,
  facts: Partial<AppendedBytes> = {},
): Promise<void> {
  const offset = (await store.position(key))?.length ?? -1;
  const gzip = gzipSync(bytes, { level: 1 });
  const outcome = await store.append(key, { offset, length: bytes.length, gzip, cursor: null, ...facts });
  expect(outcome?.accepted).toBe(true);
}

/** As `apolo logs` shows it. */
export async function readLog(
  database: Database,
  store: LogStore,
  { jobId }: LogKey,
  options: Partial<FollowOptions> = {},
): Promise<string> {
  const tails = new LogTails(database.notifications);
  const parts: Buffer[] = [];
  const signal = AbortSignal.timeout(60_000);
  for await (const part of followLog({ logs: store, tails }, jobId, { signal, ...options })) parts.push(part);
  tails.close();
  return Buffer.concat(parts).toString();
}
