import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { type BucketRights, bucketCredential, silent } from '@delos/core';
import { freePort } from '@delos/host';
import { AwsClient } from 'aws4fetch';
import { execute, type RunningCommand, start } from '../../../peers/src/command.ts';
import type { BucketSettings } from '../../../runtime/service/src/logs/object-bucket.ts';
import { untilReady } from '../until-ready.ts';

/** The image's own program on a folder of this machine, and S3 clients of it. */
export interface TestObjectStorage {
  readonly pid: number;
  /** The volume. */
  readonly data: string;
  readonly port: number;
  readonly internalPort: number;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** A client with the administrator's secret. */
  readonly admin: AwsClient;
  /** A client with the account of a bucket that a service has. */
  owner(bucket: string): AwsClient;
  /** What a service is given that has this bucket. */
  settings(bucket: string): BucketSettings;
  /** A client with a credential for one bucket. @param seconds from now until its end */
  signed(bucket: string, rights: BucketRights, seconds?: number): AwsClient;
  /** The file of the administrator's secret. */
  readonly adminFile: string;
  /** The file of the keys for buckets of services. */
  readonly signingFile: string;
  /** The file of the keys for buckets of projects. */
  readonly projectsFile: string;
  /** A client with a credential for a project's bucket. `m`: it makes and removes it. */
  ofProject(bucket: string, rights: BucketRights | 'm', seconds?: number): AwsClient;
  /** What the program itself issues. */
  issue(bucket: string, rights: string, seconds: string): Promise<{ readonly code: number; readonly stdout: string }>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again, on the same volume. */
  up(): Promise<void>;
  /** The way a Pod is ended; gives the exit code. */
  end(): Promise<number>;
  logged(): string;
  stop(): Promise<void>;
}

/** Signs for buckets of projects. */
export const PROJECTS_KEY = 'the-key-for-buckets-of-projects-0123456789';
const SIGNING_KEY = 'the-signing-key-of-tests-0123456789-abcdef';
const ADMIN_SECRET = 'the-secret-of-the-administrator-0123456789';
const secretOf = (bucket: string): string => `the-secret-of-the-bucket-${bucket}-0123456789`;

/** A client of these words. */
export const client = (accessKeyId: string, secretAccessKey: string): AwsClient =>
  new AwsClient({ accessKeyId, secretAccessKey, service: 's3', region: 'us-east-1', retries: 0 });

/** @param buckets that services have, each with an account of its own */
export async function testObjectStorage(
  buckets: readonly string[],
  options: {
    readonly uploadSeconds?: number;
    readonly wrap?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<TestObjectStorage> {
  const { path } = await resolveTool('objects', silent);
  const folder = await mkdtemp(join(tmpdir(), 'delos-objects-'));
  const data = join(folder, 'data');
  await mkdir(data);
  for (const bucket of buckets) {
    await mkdir(join(folder, 'buckets', bucket), { recursive: true });
    await writeFile(join(folder, 'buckets', bucket, 'secret-key'), `${secretOf(bucket)}\n`);
  }
  await writeFile(join(folder, 'admin'), ADMIN_SECRET);
  await writeFile(join(folder, 'projects'), PROJECTS_KEY);
  await writeFile(join(folder, 'signing'), `${SIGNING_KEY}\nan-older-signing-key-0123456789-abcdef-xyz\n`);
  const ports = { s3: await freePort(), internal: await freePort() };
  const env = {
    PATH: '/usr/bin:/bin',
    GOMEMLIMIT: '200MiB',
    DELOS_OBJECTS_DATA: data,
    DELOS_OBJECTS_PORT: String(ports.s3),
    DELOS_OBJECTS_INTERNAL_PORT: String(ports.internal),
    DELOS_OBJECTS_ADMIN_FILE: join(folder, 'admin'),
    DELOS_OBJECTS_SIGNING_FILE: join(folder, 'signing'),
    DELOS_OBJECTS_PROJECTS_FILE: join(folder, 'projects'),
    DELOS_OBJECTS_BUCKETS: join(folder, 'buckets'),
    ...options.env,
    ...(options.uploadSeconds === undefined ? {} : { DELOS_OBJECTS_UPLOAD_SECONDS: String(options.uploadSeconds) }),
  };
  let running: RunningCommand | undefined;
  let logged = '';
  const end = async (signal: NodeJS.Signals): Promise<number> => {
    const ending = running;
    running = undefined;
    ending?.child.kill(signal);
    const code = (await ending?.end)?.code ?? 0;
    logged += ending?.stderr() ?? '';
    return code;
  };
  const up = async (): Promise<void> => {
    const serving = start([...(options.wrap ?? []), path], { timeout: 3600, env });
    running = serving;
    await untilReady('the object storage', serving, ports.internal);
  };
  await up();
  return {
    get pid() {
      return running?.child.pid ?? 0;
    },
    data,
    port: ports.s3,
    internalPort: ports.internal,
    url: `http://127.0.0.1:${ports.s3}`,
    admin: client('delos_admin', ADMIN_SECRET),
    owner: (bucket) => client(bucket, secretOf(bucket)),
    settings: (bucket) => ({
      endpoint: `http://127.0.0.1:${ports.s3}`,
      region: 'us-east-1',
      bucket,
      accessKey: bucket,
      secretFile: join(folder, 'buckets', bucket, 'secret-key'),
    }),
    signed: (bucket, rights, seconds = 3600) => {
      const given = bucketCredential(SIGNING_KEY, { bucket, rights, end: Math.floor(Date.now() / 1000) + seconds });
      return client(given.accessKey, given.secretKey);
    },
    adminFile: join(folder, 'admin'),
    signingFile: join(folder, 'signing'),
    projectsFile: join(folder, 'projects'),
    ofProject: (bucket, rights, seconds = 3600) => {
      const given = bucketCredential(PROJECTS_KEY, { bucket, rights, end: Math.floor(Date.now() / 1000) + seconds });
      return client(given.accessKey, given.secretKey);
    },
    issue: (...args) => execute([path, 'issue', ...args], { env }),
    kill: async () => void (await end('SIGKILL')),
    up,
    end: () => end('SIGTERM'),
    logged: () => `${logged}${running?.stderr() ?? ''}`,
    stop: async () => {
      await end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The contents of an element, each time that it comes. */
export const elements = (xml: string, name: string): readonly string[] =>
  [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(([, text = '']) =>
    text
      .replace(/&#(x?)([\dA-F]+);/g, (_, hex: string, code: string) =>
        String.fromCodePoint(Number.parseInt(code, hex === '' ? 10 : 16)),
      )
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&quot;', '"')
      .replaceAll('&amp;', '&'),
  );

/** The S3 code of an answer that is an error; its status where it is none. */
export async function codeOf(answer: Response): Promise<string | number> {
  const text = await answer.text();
  return elements(text, 'Code')[0] ?? answer.status;
}
