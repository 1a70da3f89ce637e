import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { FILE_STORAGE_USER, silent } from '@delos/core';
import { freePort } from '@delos/host';
import { type RunningCommand, start } from '../../../peers/src/command.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { startGateway, type TestGateway } from '../edge/gateway.ts';
import { startControlApi, startIssuer, type TestApi, type TestIssuer } from '../service/control-api.ts';
import { startPostgres } from '../service/postgres.ts';
import { untilReady } from '../until-ready.ts';

/** The image's own program on a folder of this machine, as the user that it has in a cluster, which has no capability. */
export interface TestFiles {
  readonly pid: number;
  /** The folder that stands for its volume. */
  readonly data: string;
  readonly port: number;
  readonly internalPort: number;
  readonly logged: () => string;
  readonly up: () => Promise<void>;
  /** SIGKILL. */
  readonly kill: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

const AS_ITS_USER = ['setpriv', `--reuid=${FILE_STORAGE_USER}`, `--regid=${FILE_STORAGE_USER}`, '--clear-groups'];

/** @param api where the control API is */
export async function testFiles(api: string): Promise<TestFiles> {
  const { path } = await resolveTool('files', silent);
  const folder = await mkdtemp(join(tmpdir(), 'delos-files-'));
  await chmod(folder, 0o755);
  const data = join(folder, 'data');
  await mkdir(data);
  await chown(data, FILE_STORAGE_USER, FILE_STORAGE_USER);
  await chmod(data, 0o2770);
  const program = join(folder, 'files');
  const { copyFile } = await import('node:fs/promises');
  await copyFile(path, program);
  const ports = { http: await freePort(), internal: await freePort() };
  const env = {
    PATH: '/usr/bin:/bin',
    GOMEMLIMIT: '100MiB',
    DELOS_API_URL: api,
    DELOS_FILES_DATA: data,
    DELOS_FILES_PORT: String(ports.http),
    DELOS_FILES_INTERNAL_PORT: String(ports.internal),
    DELOS_FILES_SCAN_SECONDS: '1',
  };
  let running: RunningCommand | undefined;
  let logged = '';
  const kill = async (): Promise<void> => {
    const ending = running;
    running = undefined;
    ending?.child.kill('SIGKILL');
    await ending?.end;
    logged += ending?.stderr() ?? '';
  };
  return {
    get pid() {
      return running?.child.pid ?? 0;
    },
    data,
    port: ports.http,
    internalPort: ports.internal,
    logged: () => `${logged}${running?.stderr() ?? ''}`,
    up: async () => {
      const serving = start([...AS_ITS_USER, program], { timeout: 3600, env });
      running = serving;
      await untilReady('the file storage', serving, ports.internal);
    },
    kill,
    stop: async () => {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The program behind the gateway's own Caddyfile, with the real control API. */
export interface FilesOnApi {
  readonly files: TestFiles;
  readonly api: TestApi;
  readonly issuer: TestIssuer;
  readonly database: Database;
  readonly gateway: TestGateway;
  /** `http://127.0.0.1:PORT` of the gateway. */
  readonly origin: string;
  readonly stop: () => Promise<void>;
}

export async function filesOnApi(): Promise<FilesOnApi> {
  const [postgres, issuer] = await Promise.all([startPostgres(), startIssuer()]);
  const database = await postgres.connect();
  // Where it is reached is known only when it is there.
  const settings = { filesUrl: '' };
  const api = await startControlApi(database, issuer, undefined, undefined, settings);
  const files = await testFiles(api.url);
  await files.up();
  Object.assign(api.deps.settings, { filesUrl: `http://127.0.0.1:${files.port}`, jobsMountFiles: true });
  const port = Number(new URL(api.url).port);
  const gateway = await startGateway(
    { api: port, identity: port },
    { 'files.delos.svc.cluster.local:8080': `127.0.0.1:${files.port}` },
  );
  const origin = `http://127.0.0.1:${gateway.ports.http}`;
  Object.assign(api.deps.settings, { publicUrl: origin });
  return {
    files,
    api,
    issuer,
    database,
    gateway,
    origin,
    stop: async () => {
      await gateway.stop();
      await files.stop();
      await api.stop();
      await issuer.stop();
      await database.close();
      await postgres.stop();
    },
  };
}
