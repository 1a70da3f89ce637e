import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PlatformConfig } from '@delos/core';
import { freePort } from '@delos/host';
import { applyConfig } from '../../../runtime/service/src/db/apply-config.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { startIssuer, TEST_CONFIG } from '../service/control-api.ts';
import { startPostgres } from '../service/postgres.ts';
import { until } from '../until.ts';

/*
 * The runtime's services as processes, over a real PostgreSQL and without a cluster: the agent finds no Kubernetes API
 * and keeps trying, which is enough to attack its listener.
 */

export const SERVICES = ['api', 'scheduler', 'agent', 'collector'] as const;
export type ServiceName = (typeof SERVICES)[number];

export interface ServiceProcesses {
  /** Port of the control API's public listener. */
  readonly publicPort: number;
  /** Port of each service's internal listener. */
  readonly internal: Readonly<Record<ServiceName, number>>;
  readonly agentToken: string;
  readonly database: Database;
  readonly token: (user: string) => Promise<string>;
  /** How a service ended; undefined while it runs. */
  readonly ended: (service: ServiceName) => string | undefined;
  /**
   * Resident bytes that a memory limit counts and the kernel cannot take back. Pages of files, such as Node's own 60 MB, it
   * can, and gives to others first.
   */
  readonly memory: (service: ServiceName) => Promise<number>;
  /** What it wrote to its log. */
  readonly log: (service: ServiceName) => Promise<string>;
  /** Seconds of processor time that its process has had. */
  readonly processorSeconds: (service: ServiceName) => Promise<number>;
  /** SIGKILL; resolves when it is gone. */
  readonly kill: (service: ServiceName) => Promise<void>;
  /** Another process of a service that has ended; it answers later. */
  readonly start: (service: ServiceName) => void;
  readonly stop: () => Promise<void>;
}

const MAIN = fileURLToPath(new URL('../../../runtime/service/src/main.ts', import.meta.url));
const TOKEN = 'test-agent-token-0123456789';
/** As the platform runs them (constructs/src/base/own-service.ts). */
const NODE_OPTIONS = '--max-old-space-size=160 --max-semi-space-size=4';

export async function startServices(
  services: readonly ServiceName[],
  config: PlatformConfig = TEST_CONFIG,
  more: Readonly<Record<string, string>> = {},
): Promise<ServiceProcesses> {
  const folder = await mkdtemp(join(tmpdir(), 'delos-edge-'));
  const postgres = await startPostgres();
  const database = await postgres.connect();
  const issuer = await startIssuer();
  await database.tx((tx) => applyConfig(tx, config, 'default'));
  await writeFile(join(folder, 'platform.json'), JSON.stringify(config));
  await writeFile(join(folder, 'kubeconfig'), KUBECONFIG);
  await mkdir(join(folder, 'pods'));
  await writeFile(join(folder, 'agent-token'), TOKEN, { mode: 0o400 });
  await writeFile(join(folder, 'collector-token'), `${TOKEN}-of-collectors`, { mode: 0o400 });
  const publicPort = await freePort();
  const ports = await Promise.all(SERVICES.map(async (name) => [name, await freePort()] as const));
  const internal = Object.fromEntries(ports) as Record<ServiceName, number>;
  const env = {
    PATH: process.env.PATH ?? '',
    ...postgres.env(database.name),
    NODE_OPTIONS,
    DELOS_CONFIG: join(folder, 'platform.json'),
    DELOS_AGENT_TOKEN_FILE: join(folder, 'agent-token'),
    DELOS_COLLECTOR_TOKEN_FILE: join(folder, 'collector-token'),
    DELOS_PUBLIC_URL: `http://127.0.0.1:${publicPort}`,
    DELOS_PUBLIC_PORT: String(publicPort),
    DELOS_OIDC_ISSUER: issuer.issuer,
    DELOS_OIDC_JWKS_URL: issuer.jwksUrl,
    DELOS_API_URL: `http://127.0.0.1:${internal.api}`,
    DELOS_CLUSTER: 'default',
    DELOS_LISTEN_HOST: '127.0.0.1',
    DELOS_KUBECONFIG: join(folder, 'kubeconfig'),
    DELOS_POD_LOGS: join(folder, 'pods'),
    DELOS_NODE: 'node-1',
    ...more,
  };
  const children = new Map<ServiceName, ChildProcess>();
  const start = (service: ServiceName): void => {
    const child = spawn(process.execPath, [MAIN, service], {
      env: { ...env, DELOS_INTERNAL_PORT: String(internal[service]) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log = createWriteStream(join(folder, `${service}.log`), { flags: 'a' });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    children.set(service, child);
  };
  for (const service of services) start(service);
  const log: ServiceProcesses['log'] = (service) => readFile(join(folder, `${service}.log`), 'utf8');
  const ended: ServiceProcesses['ended'] = (service) => {
    const child = children.get(service);
    if (child === undefined) return 'not started';
    return child.exitCode === null ? (child.signalCode ?? undefined) : `exit code ${child.exitCode}`;
  };
  const kill: ServiceProcesses['kill'] = async (service) => {
    const child = children.get(service);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  const stop = async (): Promise<void> => {
    for (const service of children.keys()) await kill(service);
    await database.close();
    await issuer.stop();
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const service of services) {
      await until(`${service} answers`, 60, async () => {
        if (ended(service) !== undefined) throw new Error(`${service}: ${ended(service)}\n${await log(service)}`);
        const answer = await fetch(`http://127.0.0.1:${internal[service]}/health/live`).catch(() => undefined);
        return answer?.ok === true ? true : undefined;
      });
    }
  } catch (error) {
    // None of them outlives a start that failed.
    await stop();
    throw error;
  }
  return {
    publicPort,
    internal,
    agentToken: TOKEN,
    database,
    token: (user) => issuer.token(user),
    ended,
    memory: async (service) => {
      const status = await readFile(`/proc/${children.get(service)?.pid}/status`, 'utf8');
      const kib = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]);
      return (kib('RssAnon') + kib('RssShmem')) * 1024;
    },
    log,
    processorSeconds: async (service) => {
      const stat = await readFile(`/proc/${children.get(service)?.pid}/stat`, 'utf8');
      // utime and stime come 11 and 12 after the name's end, in hundredths of a second.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    kill,
    start,
    stop,
  };
}

/** Of an API server that is not there. */
const KUBECONFIG = `apiVersion: v1
kind: Config
current-context: none
contexts: [{name: none, context: {cluster: none, user: none}}]
clusters: [{name: none, cluster: {server: 'http://127.0.0.1:9'}}]
users: [{name: none, user: {}}]
`;
