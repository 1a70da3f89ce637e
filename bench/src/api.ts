/**
 * What the control API answers with 100,000 jobs in its table, and what that takes: the API and the scheduler as processes of their own, over a
 * PostgreSQL whose commits are on the disk. So many connections ask without a pause.
 *
 *   list     what `apolo ps` asks: jobs of a project that are alive
 *   recent   the newest fifty jobs of a project, whatever became of them
 *   named    what the client asks to find a job by its name
 *   tagged   jobs of a project with two tags, one of which 200 jobs have
 *   status   one job by its id
 *   submit   a new job; then how long until the scheduler has looked at each of them
 */
import { Agent } from 'node:http';
import { z } from 'zod';
import { followLogs } from './api/followers.ts';
import { type Ask, load, once } from './api/load.ts';
import { startProcesses } from './api/processes.ts';
import { CLUSTER, CONFIG, fill, ORG, projectOf, submission, USERS } from './api/world.ts';
import { numberOption, say } from './measure.ts';

const JOBS = 100_000;
const CONNECTIONS = [1, 32, 256];
const FOLLOWERS = 200;
const MIB = 2 ** 20;

interface Row {
  readonly name: string;
  readonly connections: number;
  readonly jobs: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Milliseconds of processor time of the control API for one request: it does not depend on what else the machine does. */
  readonly processorMs: number;
}

const seconds = numberOption('--samples', 5);
/** Names of the rows that are measured, with a comma between. @default all, and the followers of logs */
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1]?.split(',') : undefined;
const jobs = numberOption('--jobs', JOBS);
const processes = await startProcesses(CONFIG);
try {
  const tokens = await Promise.all(USERS.map((user) => processes.token(user)));
  const headersOf = (user: number): Readonly<Record<string, string>> => ({
    authorization: `Bearer ${tokens[user % tokens.length] ?? ''}`,
    accept: 'application/x-ndjson',
  });
  const submit = (nth: number): Ask => ({
    method: 'POST',
    path: '/api/v1/jobs?from_preset',
    headers: { ...headersOf(nth), 'content-type': 'application/json' },
    body: JSON.stringify(submission(nth % USERS.length)),
  });
  const made = await once(processes.url, new Agent(), submit(0));
  const { id: pattern } = z.looseObject({ id: z.string() }).parse(JSON.parse(made.toString()));
  say(`filling the table with ${jobs} jobs`);
  await fill(processes, jobs, pattern);
  const known = await processes.sql<{ id: string; owner: string; project: string; name: string | null }>(
    'select id, owner, project, name from jobs tablesample bernoulli (2)',
  );
  const named = known.filter(({ name }) => name !== null);
  const pick = <T>(from: readonly T[], nth: number): T => from[(nth * 7919) % from.length] as T;

  const list = (nth: number, more: Readonly<Record<string, string>>, project = projectOf(nth % USERS.length)): Ask => {
    const query = new URLSearchParams({
      cluster_name: CLUSTER,
      org_name: ORG,
      project_name: project,
      reverse: '1',
      ...more,
    });
    return { method: 'GET', path: `/api/v1/jobs?${query.toString()}`, headers: headersOf(nth) };
  };
  const userOf = (owner: string): number => USERS.indexOf(owner);
  const asks: Readonly<Record<string, (nth: number) => Ask>> = {
    list: (nth) => {
      const ask = list(nth, { being_dropped: 'False', logs_removed: 'False' });
      return { ...ask, path: `${ask.path}&status=pending&status=running&status=suspended` };
    },
    recent: (nth) => list(nth, { limit: '50' }),
    named: (nth) => {
      const job = pick(named, nth);
      const more = { name: job.name ?? '', being_dropped: 'False', logs_removed: 'False' };
      return { ...list(nth, more, job.project), headers: headersOf(userOf(job.owner)) };
    },
    tagged: (nth) => {
      const ask = list(nth, { tag: 'bench', limit: '50' });
      return { ...ask, path: `${ask.path}&tag=sweep-${nth % 500}` };
    },
    status: (nth) => {
      const job = pick(known, nth);
      return { method: 'GET', path: `/api/v1/jobs/${job.id}`, headers: headersOf(userOf(job.owner)) };
    },
    submit,
  };
  const rows: Row[] = [];
  const scheduled: { connections: number; jobsPerSecond: number }[] = [];
  for (const [name, ask] of Object.entries(asks)) {
    if (only?.includes(name) === false) continue;
    for (const connections of CONNECTIONS) {
      const began = performance.now();
      const before = await waiting();
      const from = processes.processorSeconds('api');
      const { requests, ...loaded } = await load(processes.url, { connections, seconds }, ask);
      const processorMs = Math.round(((processes.processorSeconds('api') - from) / requests) * 100_000) / 100;
      rows.push({ name, connections, jobs, ...loaded, processorMs });
      say(`${name}, ${connections} connections: ${JSON.stringify({ ...loaded, processorMs })}`);
      if (name === 'submit') {
        const count = (await waiting()) - before;
        await untilLookedAt();
        const jobsPerSecond = Math.round(count / ((performance.now() - began) / 1000));
        scheduled.push({ connections, jobsPerSecond });
        say(`  looked at by the scheduler: ${jobsPerSecond} a second`);
      }
    }
  }
  const followed = await followLogs(processes, tokens, { followers: FOLLOWERS, seconds });
  const peaks = processes.peaks();
  const memoryMiB = { api: Math.round(peaks.api / MIB), scheduler: Math.round(peaks.scheduler / MIB) };
  const document = { name: 'api', rows, scheduled, followers: followed, memoryMiB };
  const text = [
    `api: ${jobs} jobs`,
    ...rows.map(
      (row) =>
        `  ${row.name.padEnd(7)} ${String(row.connections).padStart(4)} connections ${row.requestsPerSecond.toFixed(0).padStart(6)}/s  p50 ${row.p50Ms.toFixed(1).padStart(7)} ms  p99 ${row.p99Ms.toFixed(1).padStart(7)} ms  ${row.processorMs.toFixed(2)} ms of processor`,
    ),
    ...scheduled.map((each) => `  submitted and looked at, ${each.connections} connections: ${each.jobsPerSecond}/s`),
    `  ${followed.followers} followers: ${followed.cores} cores (${followed.coresWithoutFollowers} for the same logs without)`,
    `  memory, at most: api ${memoryMiB.api} MiB, scheduler ${memoryMiB.scheduler} MiB`,
  ];
  process.stdout.write(`${process.argv.includes('--json') ? JSON.stringify(document) : text.join('\n')}\n`);

  async function waiting(): Promise<number> {
    const [row] = await processes.sql<{ count: number }>(
      `select count(*)::int as count from jobs where phase = 'queued'`,
    );
    return row?.count ?? 0;
  }
  async function untilLookedAt(): Promise<void> {
    for (;;) {
      const [row] = await processes.sql<{ count: number }>(
        `select count(*)::int as count from jobs where phase = 'queued' and reason = 'Creating'`,
      );
      if (row?.count === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
} finally {
  await processes.stop();
}
