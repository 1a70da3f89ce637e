import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AGENT_PREFIX } from '@delos/core';
import { freePort } from '@delos/host';
import { startIssuer, startPostgres, type TestIssuer, type TestPostgres, until } from '@delos/test';
import pg from 'pg';

/*
 * The control API and the scheduler as processes of their own, with the memory that their Pods may have, over a PostgreSQL whose commits
 * are on the disk when they are answered.
 */

const MAIN = join(import.meta.dirname, '../../../runtime/service/src/main.ts');
/** What constructs tell Node in a Pod of 256 MiB. */
const NODE_ARGS = ['--max-old-space-size=160', '--max-semi-space-size=4', '--disable-warning=ExperimentalWarning'];
/** USER_HZ of Linux. */
const TICKS = 100;

export type ServiceName = 'api' | 'scheduler';

export interface Processes {
  readonly url: string;
  /** Of the listener of agents and collectors. */
  readonly agents: string;
  readonly collectorToken: string;
  readonly token: TestIssuer['token'];
  readonly sql: <Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;
  /** Most bytes that each service had in memory since it began. */
  readonly peaks: () => Readonly<Record<ServiceName, number>>;
  /** Seconds of processor time that a service has had. */
  readonly processorSeconds: (service: ServiceName) => number;
  readonly stop: () => Promise<void>;
}

/** @param config of the platform, as `platformConfig` takes it */
export async function startProcesses(config: unknown): Promise<Processes> {
  const [postgres, issuer] = await Promise.all([startPostgres(undefined, true), startIssuer()]);
  const folder = await mkdtemp(join(tmpdir(), 'delos-bench-api-'));
  const children = new Map<ServiceName, ChildProcess>();
  const stop = async (): Promise<void> => {
    for (const child of children.values()) {
      if (child.exitCode !== null) continue;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    }
    await issuer.stop();
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const database = await postgres.createDatabase();
    const collectorToken = randomBytes(24).toString('base64url');
    const [env, ports] = await settings(postgres, { database, issuer, folder, config, collectorToken });
    await migrated(env);
    const start = (service: ServiceName, port: number): void => {
      const child = spawn(process.execPath, [...NODE_ARGS, MAIN, service], {
        env: { ...env, DELOS_INTERNAL_PORT: String(port) },
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      process.once('exit', () => void child.kill('SIGKILL'));
      children.set(service, child);
    };
    start('api', ports.internal);
    start('scheduler', 0);
    const url = `http://127.0.0.1:${ports.public}`;
    await until('the control API answers', 60, async () =>
      (await fetch(`${url}/api/v1/ping`).catch(() => undefined))?.ok === true ? true : undefined,
    );
    const client = new pg.Client({ host: postgres.host, port: postgres.port, user: postgres.user, database });
    await client.connect();
    const pidOf = (service: ServiceName): number => children.get(service)?.pid ?? 0;
    return {
      url,
      agents: `http://127.0.0.1:${ports.internal}${AGENT_PREFIX}`,
      collectorToken,
      token: issuer.token,
      sql: async <Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) =>
        (await client.query<Row>(text, [...values])).rows,
      peaks: () => ({ api: peakOf(pidOf('api')), scheduler: peakOf(pidOf('scheduler')) }),
      processorSeconds: (service) => processorSecondsOf(pidOf(service)),
      stop: async () => {
        await client.end();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Place {
  readonly database: string;
  readonly issuer: TestIssuer;
  readonly folder: string;
  readonly config: unknown;
  readonly collectorToken: string;
}

async function settings(
  postgres: TestPostgres,
  { database, issuer, folder, config, collectorToken }: Place,
): Promise<readonly [Readonly<Record<string, string>>, { readonly public: number; readonly internal: number }]> {
  const file = join(folder, 'platform.json');
  await writeFile(file, JSON.stringify(config));
  const secrets = { agent: randomBytes(24).toString('base64url'), collector: collectorToken };
  for (const [name, secret] of Object.entries(secrets)) await writeFile(join(folder, name), secret, { mode: 0o400 });
  const ports = { public: await freePort(), internal: await freePort() };
  const env = {
    PATH: process.env.PATH ?? '',
    ...postgres.env(database),
    DELOS_CONFIG: file,
    DELOS_AGENT_TOKEN_FILE: join(folder, 'agent'),
    DELOS_COLLECTOR_TOKEN_FILE: join(folder, 'collector'),
    DELOS_PUBLIC_URL: `http://127.0.0.1:${ports.public}`,
    DELOS_PUBLIC_PORT: String(ports.public),
    DELOS_OIDC_ISSUER: issuer.issuer,
    DELOS_OIDC_JWKS_URL: issuer.jwksUrl,
    DELOS_LISTEN_HOST: '127.0.0.1',
    DELOS_LOG_LEVEL: 'info',
  };
  return [env, ports];
}

/** Tables and the configuration in them. */
async function migrated(env: Readonly<Record<string, string>>): Promise<void> {
  const child = spawn(process.execPath, [...NODE_ARGS, MAIN, 'migrate'], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(`the database could not be prepared: exit code ${String(code)}`);
}

/** https://man7.org/linux/man-pages/man5/proc_pid_status.5.html */
export function peakOf(pid: number): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  if (kib === undefined) throw new Error(`process ${pid} tells no VmHWM`);
  return Number(kib) * 1024;
}

/** https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: utime and stime come 11 and 12 after the name's end. */
export function processorSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}
