import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type PlatformConfig, platformConfig } from '@delos/core';
import { freePort } from '@delos/host';
import { WebSocket } from 'ws';
import { applyConfig } from '../../../runtime/service/src/db/apply-config.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import type { TestCluster } from '../cluster/cluster.ts';
import { until } from '../until.ts';
import { startIssuer, type TestIssuer } from './control-api.ts';
import type { TestPostgres } from './postgres.ts';

/*
 * The runtime's services as processes of this machine, over a real PostgreSQL and a real node: each may be killed and
 * started again.
 */

export const SERVICES = ['api', 'scheduler', 'agent', 'collector'] as const;
export type ServiceName = (typeof SERVICES)[number];

export interface RuntimeStack {
  readonly url: string;
  readonly database: Database & { readonly name: string };
  readonly token: string;
  readonly folder: string;
  /** A POST of a job in project default/default. @returns its id */
  readonly run: (job: Readonly<Record<string, unknown>>) => Promise<string>;
  readonly request: (method: string, path: string, body?: unknown) => Promise<Response>;
  readonly job: (id: string) => Promise<JobView>;
  /** Waits until the job has this status. */
  readonly reaches: (id: string, status: string, seconds?: number) => Promise<JobView>;
  readonly socket: (path: string) => WebSocket;
  /** The whole log, read to the server's normal close. */
  readonly log: (id: string, query?: string) => Promise<Buffer>;
  /** SIGKILL, then a new process. */
  readonly kill: (service: ServiceName) => Promise<void>;
  /** Resident bytes of a service's process. */
  readonly pid: (service: ServiceName) => number | undefined;
  readonly stop: () => Promise<void>;
}

export interface JobView {
  readonly id: string;
  readonly status: string;
  readonly history: {
    readonly reason?: string | null;
    readonly description?: string | null;
    readonly exit_code?: number | null;
    readonly restarts?: number;
  };
}

const MAIN = fileURLToPath(new URL('../../../runtime/service/src/main.ts', import.meta.url));

export async function startRuntime(
  postgres: TestPostgres,
  cluster: TestCluster,
  options: { readonly cluster: string; readonly config?: PlatformConfig },
): Promise<RuntimeStack> {
  const folder = await mkdtemp(join(tmpdir(), 'delos-runtime-'));
  const issuer: TestIssuer = await startIssuer();
  const database = await postgres.connect();
  const config =
    options.config ?? platformConfig.parse({ presets: [{ name: 'cpu-small', cpu: 0.1, memory: '128Mi' }] });
  await database.tx((tx) => applyConfig(tx, config, options.cluster));
  const file = join(folder, 'platform.json');
  await writeFile(file, JSON.stringify(config));
  const secrets = {
    DELOS_AGENT_TOKEN_FILE: join(folder, 'agent-token'),
    DELOS_COLLECTOR_TOKEN_FILE: join(folder, 'collector-token'),
  };
  for (const secret of Object.values(secrets)) {
    await writeFile(secret, randomBytes(24).toString('base64url'), { mode: 0o400 });
  }
  const ports = { public: await freePort(), api: await freePort() };
  const url = `http://127.0.0.1:${ports.public}`;
  const env = {
    PATH: process.env.PATH ?? '',
    ...postgres.env(database.name),
    DELOS_CONFIG: file,
    DELOS_CLUSTER: options.cluster,
    ...secrets,
    DELOS_PUBLIC_URL: url,
    DELOS_PUBLIC_PORT: String(ports.public),
    DELOS_OIDC_ISSUER: issuer.issuer,
    DELOS_OIDC_JWKS_URL: issuer.jwksUrl,
    DELOS_API_URL: `http://127.0.0.1:${ports.api}`,
    DELOS_LISTEN_HOST: '127.0.0.1',
    DELOS_KUBECONFIG: cluster.handle.kubeconfig,
    DELOS_POD_LOGS: join(cluster.paths.state, 'cluster/log/pods'),
    DELOS_NODE: 'node-1',
    DELOS_LOG_LEVEL: 'debug',
  };
  const children = new Map<ServiceName, ChildProcess>();
  const start = async (service: ServiceName): Promise<void> => {
    // 0: any; a number that was free a moment ago may not be.
    const port = service === 'api' ? ports.api : 0;
    const child = spawn(process.execPath, [MAIN, service], {
      env: { ...env, DELOS_INTERNAL_PORT: String(port) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log = createWriteStream(join(folder, `${service}.log`), { flags: 'a' });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    children.set(service, child);
  };
  const end = async (service: ServiceName): Promise<void> => {
    const child = children.get(service);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  };
  const token = await issuer.token(config.admin.user);
  const request: RuntimeStack['request'] = (method, path, body) =>
    fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const job: RuntimeStack['job'] = async (id) => (await (await request('GET', `/jobs/${id}`)).json()) as JobView;
  const socket: RuntimeStack['socket'] = (path) =>
    new WebSocket(`${url.replace('http', 'ws')}/api/v1/jobs/${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });

  await Promise.all(SERVICES.map(start));
  await until('the control API answers', 60, async () =>
    (await request('GET', '/config').catch(() => undefined))?.ok === true ? true : undefined,
  );
  return {
    url,
    database,
    token,
    folder,
    request,
    job,
    socket,
    run: async (spec) => {
      const response = await request('POST', '/jobs?from_preset', {
        preset_name: 'cpu-small',
        cluster_name: options.cluster,
        org_name: 'default',
        project_name: 'default',
        pass_config: false,
        ...spec,
      });
      const answer = (await response.json()) as JobView;
      if (!response.ok) throw new Error(JSON.stringify(answer));
      return answer.id;
    },
    reaches: (id, status, seconds = 120) =>
      until(`${id} is ${status}`, seconds, async (last) => {
        // A control API that was just killed is not there for a moment.
        const view = await job(id).catch(() => undefined);
        if (view === undefined) return undefined;
        last({ status: view.status, history: view.history });
        return view.status === status ? view : undefined;
      }),
    log: (id, query = '') => readAll(socket(`${id}/log_ws${query}`)),
    kill: async (service) => {
      await end(service);
      await start(service);
    },
    pid: (service) => children.get(service)?.pid,
    stop: async () => {
      await Promise.all(SERVICES.map(end));
      await database.close();
      await issuer.stop();
      if (process.env.DELOS_TEST_KEEP === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What a WebSocket brings until its normal close. @throws Error where it is refused or ends otherwise */
export function readAll(socket: WebSocket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    socket.on('message', (data, binary) => {
      if (!binary) reject(new Error('a text frame'));
      parts.push(data as Buffer);
    });
    socket.once('error', reject);
    socket.once('close', (code) => {
      if (code === 1000) resolve(Buffer.concat(parts));
      else reject(new Error(`closed with ${code}`));
    });
  });
}
