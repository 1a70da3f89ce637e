import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { FILE_STORAGE_USER } from '@delos/core';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { applyEvent, podRemoved, recordObservation, sealLogs } from '../../../runtime/service/src/db/jobs-state.ts';
import type { JobRow } from '../../../runtime/service/src/db/schema.ts';
import type { LogStore } from '../../../runtime/service/src/logs/log-store.ts';
import { criLine } from '../logs/shipping.ts';
import { observation } from '../service/observer.ts';

/*
 * Stands where scheduler, agent and collector of a cluster stand, for tests of what is in front of them: each job is a
 * process of this machine, as nobody, with the job's own command and mounts of files; what it writes is the job's log.
 */

const NOBODY = '65534';
/** Its root has the machine's programs and the job's mounts, and nothing else. What is made here goes with the process. */
const IN_ROOT = `set -e
  root=$1; user=$2; group=$3; shift 3
  mount -t tmpfs tmpfs "$root"
  for each in bin sbin lib lib64 usr etc dev proc; do
    if [ -L "/$each" ]; then cp -a "/$each" "$root/$each"
    elif [ -d "/$each" ]; then mkdir "$root/$each"; mount --rbind "/$each" "$root/$each"; fi
  done
  mkdir -m 1777 "$root/tmp"; mkdir -p "$root/opt/bin"; ln -s /usr/bin/python3 "$root/opt/bin/python"
  while [ "$1" != -- ]; do
    mkdir -p "$root$3"; mount --bind "$2" "$root$3"
    if [ "$1" = ro ]; then mount -o remount,bind,ro "$root$3"; fi
    shift 3
  done
  shift
  exec chroot "$root" setpriv --reuid="$user" --regid="$user" --groups="$group" --no-new-privs -- "$@"`;
const LOOK_MS = 50;

export interface ProcessAgent {
  /** Jobs that were started, by their ids, as they were started. */
  readonly started: readonly string[];
  stop(): Promise<void>;
}

/** @param data the folder that has the files of projects. @default jobs mount none */
export async function processAgent(database: Database, logs: LogStore, data = ''): Promise<ProcessAgent> {
  const root = await mkdtemp(join(tmpdir(), 'delos-jobs-'));
  const children = new Map<string, ChildProcess>();
  const started: string[] = [];
  const failures: unknown[] = [];
  let ended = false;

  const start = async (job: JobRow): Promise<void> => {
    const key = { jobId: job.id, podUid: `uid-${job.id}`, attempt: 0 };
    const [program = 'true', ...args] = [...(job.spec.entrypoint ?? []), ...(job.spec.command ?? [])];
    const env = { PATH: '/opt/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C.UTF-8', ...job.spec.env };
    const mounts = (job.spec.files ?? []).flatMap(({ org, project, source, path, readOnly }) => [
      ...[readOnly ? 'ro' : 'rw', join(data, org, project, source), path],
    ]);
    const own = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child=SIGKILL'];
    const as = [root, NOBODY, String(FILE_STORAGE_USER), ...mounts, '--', program, ...args];
    const child = spawn('unshare', [...own, 'sh', '-c', IN_ROOT, 'job', ...as], {
      // In a group of its own: the signal that unshare passes on is forgotten when the user changes.
      ...{ cwd: '/', env, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
    });
    children.set(job.id, child);
    started.push(job.id);
    const startedAt = new Date().toISOString();
    await database.tx(async (tx) => {
      await applyEvent(tx, job.id, { type: 'admit', pool: 'default', node: 'node-1', description: 'there is room' });
      await recordObservation(tx, job.id, observation(job.id, { startedAt }));
    });
    const text: Buffer[] = [];
    child.stdout?.on('data', (part: Buffer) => text.push(part));
    child.stderr?.on('data', (part: Buffer) => text.push(part));
    const exitCode = await new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? 137)));
    children.delete(job.id);
    const lines = Buffer.concat(text).toString('utf8').split('\n');
    if (lines.at(-1) === '') lines.pop();
    const log = Buffer.from(lines.map((line) => criLine(line)).join(''));
    if (log.length > 0) {
      await logs.append(key, { offset: 0, length: log.length, gzip: gzipSync(log, { level: 1 }), cursor: null });
    }
    const end = { startedAt, finishedAt: new Date().toISOString(), exitCode, ofItself: true };
    await database.tx(async (tx) => {
      await recordObservation(
        tx,
        job.id,
        observation(job.id, { ...end, phase: exitCode === 0 ? 'succeeded' : 'failed' }),
      );
    });
    await logs.finish(key, { offset: log.length, complete: true });
    await database.tx(async (tx) => {
      await sealLogs(tx, job.id, true);
      await podRemoved(tx, job.id, { run: 0, podUid: key.podUid });
    });
  };

  const loop = (async () => {
    const running = new Set<Promise<unknown>>();
    const seen = new Set<string>();
    while (!ended) {
      const rows = await database.db
        .selectFrom('jobs')
        .selectAll()
        .where('phase', 'in', ['queued', 'stopping'])
        .execute();
      for (const row of rows) {
        if (row.phase === 'stopping') killGroup(children.get(row.id));
        else if (!seen.has(row.id)) {
          seen.add(row.id);
          const run = start(row)
            .catch((error: unknown) => failures.push(error))
            .finally(() => running.delete(run));
          running.add(run);
        }
      }
      await sleep(LOOK_MS);
    }
    for (const child of children.values()) killGroup(child);
    await Promise.allSettled(running);
  })();

  return {
    started,
    stop: async () => {
      ended = true;
      await loop;
      await rm(root, { recursive: true, force: true });
      if (failures.length > 0) throw new AggregateError(failures, 'jobs could not be played');
    },
  };
}

function killGroup(child: ChildProcess | undefined): void {
  if (child?.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
