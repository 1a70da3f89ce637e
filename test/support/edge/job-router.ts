import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveTool } from '@delos/cluster';
import { JOB_HOSTS_PATH, JOB_LOGIN_PATH, silent } from '@delos/core';
import { freePort } from '@delos/host';
import { applyEvent, recordObservation } from '../../../runtime/service/src/db/jobs-state.ts';
import type { TestApi } from '../service/control-api.ts';
import { observation } from '../service/observer.ts';
import { until } from '../until.ts';

/* The router of jobs as a process, and jobs that serve HTTP, each a process too. */

export const JOBS_DOMAIN = 'jobs.localhost';

export interface TestJobRouter {
  /** The file of what it seals with. */
  readonly keyFile: string;
  readonly port: number;
  readonly internalPort: number;
  readonly http2Port: number;
  /** Resident bytes of its own. */
  readonly pid: () => number;
  /** SIGKILL, and another one at the same port. */
  readonly replace: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface RouterProps {
  readonly api: string;
  readonly publicUrl: string;
  readonly issuer: string;
  readonly port: number;
  /** Where connections of HTTP/2 are handed over. @default a free one */
  readonly http2Port?: number;
}

export async function startJobRouter({ api, publicUrl, issuer, port, ...given }: RouterProps): Promise<TestJobRouter> {
  const { path } = await resolveTool('job-router', silent);
  const folder = await mkdtemp(join(tmpdir(), 'delos-job-router-'));
  await writeFile(join(folder, 'key'), 'a-key-of-this-test-alone-which-is-long-enough\n', { mode: 0o600 });
  const internalPort = await freePort();
  const http2Port = given.http2Port ?? (await freePort());
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(path, [], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        GOMEMLIMIT: '100MiB',
        DELOS_PORT: String(port),
        DELOS_HTTP2_PORT: String(http2Port),
        DELOS_INTERNAL_PORT: String(internalPort),
        DELOS_PUBLIC_URL: publicUrl,
        DELOS_JOBS_DOMAIN: JOBS_DOMAIN,
        DELOS_API_URL: `${api}${JOB_HOSTS_PATH}`,
        DELOS_OIDC_ISSUER: issuer,
        DELOS_REALM_URL: issuer,
        DELOS_OIDC_CLIENT: 'job-router',
        DELOS_LOGIN_PATH: JOB_LOGIN_PATH,
        DELOS_SEAL_KEY_FILE: join(folder, 'key'),
      },
    });
    await until('the router of jobs is ready', 30, async (last) => {
      if (child.exitCode !== null) throw new Error(`the router of jobs ended with ${child.exitCode}`);
      const answer = await fetch(`http://127.0.0.1:${internalPort}/health/ready`).catch((error: unknown) =>
        last(String(error)),
      );
      return answer?.ok === true ? true : undefined;
    });
    return child;
  };
  let child = await start();
  const kill = async (): Promise<void> => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  return {
    keyFile: join(folder, 'key'),
    port,
    internalPort,
    http2Port,
    pid: () => child.pid ?? 0,
    replace: async () => {
      await kill();
      child = await start();
    },
    stop: async () => {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A job's process, which shows what it gets. */
export async function startWebJob(port: number): Promise<{ readonly stop: () => Promise<void> }> {
  const main = fileURLToPath(new URL('web-job.ts', import.meta.url));
  const child = spawn(process.execPath, [main, String(port)], { stdio: ['ignore', 'ignore', 'inherit'] });
  await until('the job answers', 30, async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    return answer?.ok === true ? true : undefined;
  });
  return {
    stop: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** A job of a user, by the API. */
export async function newJob(
  api: TestApi,
  user: string,
  given: { readonly name?: string; readonly http?: object; readonly org?: string; readonly project?: string },
): Promise<string> {
  const { org = 'acme', project = 'one', ...rest } = given;
  const { json, text } = await api.request(user, 'POST', '/jobs?from_preset', {
    ...{ preset_name: 'cpu-small', org_name: org, project_name: project, image: 'ubuntu:24.04', pass_config: false },
    ...rest,
  });
  if (typeof json?.id !== 'string') throw new Error(text);
  return json.id;
}

/** Its Pod runs on this machine. */
export async function runs({ deps }: TestApi, id: string, podIp = '127.0.0.1'): Promise<void> {
  await deps.database.tx(async (tx) => {
    await applyEvent(tx, id, { type: 'admit', pool: 'default', node: 'node-1', description: '' });
    await recordObservation(tx, id, observation(id, { startedAt: new Date().toISOString(), podIp }));
  });
}

export async function ends({ deps }: TestApi, id: string): Promise<void> {
  const end = { phase: 'succeeded', exitCode: 0, finishedAt: new Date().toISOString() } as const;
  await deps.database.tx((tx) => recordObservation(tx, id, observation(id, end)));
}
