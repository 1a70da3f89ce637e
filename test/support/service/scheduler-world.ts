import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { NodeReport, PlatformConfig } from '@delos/core';
import type { JobRow } from '../../../runtime/service/src/db/schema.ts';
import { until } from '../until.ts';
import { startControlApi, type TestApi, type TestIssuer } from './control-api.ts';
import { reportNode } from './node-row.ts';
import type { TestPostgres } from './postgres.ts';

/*
 * The scheduler as a process of its own over a real PostgreSQL, with the public API beside it; what stands in for the agent
 * is in the test.
 */

const MAIN = fileURLToPath(new URL('../../../runtime/service/src/main.ts', import.meta.url));

export interface SchedulerWorld {
  readonly database: Awaited<ReturnType<TestPostgres['connect']>>;
  readonly api: TestApi;
  readonly start: () => void;
  /** SIGKILL. */
  readonly kill: () => Promise<void>;
  readonly pid: () => number | undefined;
  /** A node, `node-1` where no name is given, or another than it was. */
  readonly addNode: (facts?: Partial<NodeReport>) => Promise<void>;
  /** A job of preset `core` in a project of acme. @returns its id */
  readonly run: (project: string, facts?: Readonly<Record<string, unknown>>, user?: string) => Promise<string>;
  readonly rows: () => Promise<readonly JobRow[]>;
  /** Waits until all rows are as they should be. */
  readonly reaches: (what: string, is: (all: readonly JobRow[]) => boolean) => Promise<readonly JobRow[]>;
  readonly stop: () => Promise<void>;
}

export async function schedulerWorld(
  postgres: TestPostgres,
  issuer: TestIssuer,
  config: PlatformConfig,
): Promise<SchedulerWorld> {
  const database = await postgres.connect();
  await database.notifications.start();
  const api = await startControlApi(database, issuer, config);
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill('SIGKILL');
    await ended;
  };
  const rows = (): Promise<JobRow[]> => database.db.selectFrom('jobs').selectAll().orderBy('id').execute();
  return {
    database,
    api,
    kill,
    rows,
    pid: () => child?.pid,
    start: () => {
      child = spawn(process.execPath, [MAIN, 'scheduler'], {
        env: {
          PATH: process.env.PATH ?? '',
          ...postgres.env(database.name),
          DELOS_LISTEN_HOST: '127.0.0.1',
          DELOS_INTERNAL_PORT: '0',
          DELOS_LOG_LEVEL: 'warn',
        },
        stdio: ['ignore', 'ignore', 'inherit'],
      });
    },
    addNode: (facts) => reportNode(database, facts),
    run: async (project, facts = {}, user = 'alice') => {
      const { json } = await api.request(user, 'POST', '/jobs?from_preset', {
        preset_name: 'core',
        org_name: 'acme',
        project_name: project,
        image: 'ubuntu',
        wait_for_jobs_quota: true,
        ...facts,
      });
      return json.id;
    },
    reaches: (what, is) =>
      until(what, 60, async (last) => {
        const all = await rows();
        last(
          all.map(({ id, project, phase, status, run, reason, status_description: text }) => ({
            ...{ id, project, phase, status, run, reason, text },
          })),
        );
        return is(all) ? all : undefined;
      }),
    stop: async () => {
      await kill();
      await api.stop();
      await database.close();
    },
  };
}
