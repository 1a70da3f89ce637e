import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PlatformConfig } from '@delos/core';
import { freePort } from '@delos/host';
import { applyConfig } from '../../../runtime/service/src/db/apply-config.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import type { BucketSettings } from '../../../runtime/service/src/logs/object-bucket.ts';
import type { TestIssuer } from '../service/control-api.ts';
import type { TestPostgres } from '../service/postgres.ts';

/* Control API and collector as processes, over a real PostgreSQL; the kubelet's files are written by the test. */

const MAIN = join(import.meta.dirname, '../../../runtime/service/src/main.ts');

export interface LogServices {
  start(service: 'api' | 'collector'): void;
  /** SIGKILL. */
  kill(service: 'api' | 'collector'): Promise<void>;
  /** The files of a job's container, as a kubelet writes them. */
  container(jobId: string): ContainerFiles;
  stop(): Promise<void>;
}

export interface ContainerFiles {
  append(text: string | Buffer): void;
  /** As a kubelet does it: renames the file, and keeps no more than four old ones. @returns bytes that it deleted */
  rotate(): number;
  /** Bytes that were deleted so far. */
  readonly deleted: number;
}

export async function startLogServices(props: {
  readonly database: Database & { readonly name: string };
  readonly postgres: TestPostgres;
  readonly issuer: TestIssuer;
  readonly config: PlatformConfig;
  readonly bucket?: BucketSettings;
}): Promise<LogServices> {
  const { database, postgres, issuer, config, bucket } = props;
  await database.tx((tx) => applyConfig(tx, config, 'default'));
  const folder = mkdtempSync(join(tmpdir(), 'delos-log-services-'));
  mkdirSync(join(folder, 'pods'));
  writeFileSync(join(folder, 'platform.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'agent-token'), 'agent-token-of-this-test');
  writeFileSync(join(folder, 'collector-token'), 'collector-token-of-this-test');
  const [publicPort, port] = [await freePort(), await freePort()];
  const env = {
    PATH: process.env.PATH ?? '',
    ...postgres.env(database.name),
    DELOS_CONFIG: join(folder, 'platform.json'),
    DELOS_CLUSTER: 'default',
    DELOS_AGENT_TOKEN_FILE: join(folder, 'agent-token'),
    DELOS_COLLECTOR_TOKEN_FILE: join(folder, 'collector-token'),
    DELOS_PUBLIC_URL: `http://127.0.0.1:${publicPort}`,
    DELOS_PUBLIC_PORT: String(publicPort),
    DELOS_OIDC_ISSUER: issuer.issuer,
    DELOS_OIDC_JWKS_URL: issuer.jwksUrl,
    DELOS_API_URL: `http://127.0.0.1:${port}`,
    DELOS_LISTEN_HOST: '127.0.0.1',
    DELOS_POD_LOGS: join(folder, 'pods'),
    DELOS_NODE: 'node-1',
    DELOS_LOG_LEVEL: 'error',
    ...(bucket === undefined
      ? {}
      : {
          S3_ENDPOINT: bucket.endpoint,
          S3_REGION: bucket.region,
          S3_BUCKET: bucket.bucket,
          S3_ACCESS_KEY: bucket.accessKey,
          S3_SECRET_KEY_FILE: bucket.secretFile,
        }),
  };
  const children = new Map<string, ChildProcess>();
  const kill = async (service: 'api' | 'collector'): Promise<void> => {
    const child = children.get(service);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  };
  return {
    start: (service) => {
      const own = { ...env, DELOS_INTERNAL_PORT: service === 'api' ? String(port) : '0' };
      const stdio = process.env.DELOS_TEST_LOG === undefined ? 'ignore' : 'inherit';
      children.set(service, spawn(process.execPath, [MAIN, service], { env: own, stdio }));
    },
    kill,
    container: (jobId) => containerFiles(join(folder, 'pods', `delos-p_${jobId}_uid`, 'main')),
    stop: async () => {
      await kill('collector');
      await kill('api');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A kubelet keeps as many rotated files, beside the one that is written. */
const KEPT = 4;

export function containerFiles(folder: string): ContainerFiles {
  mkdirSync(folder, { recursive: true });
  const current = join(folder, '0.log');
  appendFileSync(current, '');
  const sizes = new Map<string, number>();
  let size = 0;
  let rotations = 0;
  let deleted = 0;
  return {
    append: (text) => {
      appendFileSync(current, text);
      size += text.length;
    },
    rotate: () => {
      rotations += 1;
      const name = `0.log.20260101-${String(rotations).padStart(6, '0')}`;
      renameSync(current, join(folder, name));
      sizes.set(name, size);
      writeFileSync(current, '');
      size = 0;
      const old = readdirSync(folder)
        .filter((each) => each !== '0.log')
        .sort()
        .slice(0, -KEPT);
      for (const each of old) unlinkSync(join(folder, each));
      const gone = old.reduce((sum, each) => sum + (sizes.get(each) ?? 0), 0);
      deleted += gone;
      return gone;
    },
    get deleted() {
      return deleted;
    },
  };
}
