import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { access, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { CATALOGUE } from '@delos/artifacts';
import { DEFAULT_INSTANCE, instancePaths, silent } from '@delos/core';
import { freePort } from '@delos/host';
import { fetchArtifact } from '../../../cluster/src/images/maven.ts';
import { CONFIGURATION } from '../../../constructs/src/services/keycloak/files.ts';
import { KeycloakAdmin } from '../../../runtime/service/src/identity/index.ts';

const KEYCLOAK = CATALOGUE.map(({ build }) =>
  build?.kind === 'archive' && build.file === 'keycloak.tar.gz' ? build.archive : undefined,
).find((archive) => archive !== undefined);
if (KEYCLOAK === undefined) throw new Error('the catalogue has no archive of Keycloak');
const ARCHIVE = KEYCLOAK;

const exec = promisify(execFile);

/** The distribution that our image has, with a database in a file of its own; all of it on loopback. */
export interface TestKeycloak {
  /** With Keycloak's path, no trailing slash. */
  readonly url: string;
  readonly admin: KeycloakAdmin;
  readonly clientSecret: string;
  stop(): Promise<void>;
}

const CLIENT_SECRET = 'a-secret-of-this-test-alone';
const START_LIMIT_MS = 540_000;
const BUILD = [
  ...['--db=dev-file', '--health-enabled=true', '--metrics-enabled=true'],
  ...['--http-relative-path=/auth', '--http-management-relative-path=/'],
];

/** @param trusted PEM file of an authority that it trusts beside the public ones */
export async function startKeycloak(trusted?: string): Promise<TestKeycloak> {
  const { cache } = instancePaths(DEFAULT_INSTANCE, process.env);
  const built = await builtKeycloak(cache);
  const home = join(cache, 'test', `keycloak-run-${process.pid}-${Date.now()}`);
  // Hard links: the program's files are never written to, what it writes are files of its own.
  await exec('cp', ['--archive', '--link', built, home]);
  const [port, management] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}/auth`;
  const log = await open(join(home, 'test.log'), 'w');
  const secrets = join(home, 'secrets');
  for (const [file, value] of [
    ['database/password', 'a-password'],
    ['admin/client-secret', CLIENT_SECRET],
  ] as const) {
    await mkdir(join(secrets, file, '..'), { recursive: true });
    await writeFile(join(secrets, file), value, { mode: 0o400 });
  }
  // As in the platform: secrets come by files, through the configuration that is written from them.
  const start = `set -eu\n${CONFIGURATION}exec ${home}/bin/kc.sh --config-file="$conf" start --optimized`;
  const child = spawn('sh', ['-c', start], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: {
      ...process.env,
      KC_HTTP_ENABLED: 'true',
      KC_HTTP_HOST: '127.0.0.1',
      KC_HTTP_PORT: String(port),
      KC_HTTP_MANAGEMENT_HOST: '127.0.0.1',
      KC_HTTP_MANAGEMENT_PORT: String(management),
      KC_HOSTNAME: url,
      KC_CACHE: 'local',
      ...(trusted === undefined ? {} : { KC_TRUSTSTORE_PATHS: trusted }),
      KC_BOOTSTRAP_ADMIN_CLIENT_ID: 'delos-operator',
      KEYCLOAK_SECRETS: secrets,
      KEYCLOAK_CONF: join(home, 'secret.conf'),
      JAVA_OPTS_KC_HEAP: '-Xms64m -Xmx384m',
      JAVA_OPTS_APPEND: '-XX:-UseG1GC -XX:+UseSerialGC -XX:TieredStopAtLevel=1',
    },
  });
  const stop = async (): Promise<void> => {
    await ended(child);
    await log.close();
    await rm(home, { recursive: true, force: true });
  };
  try {
    await healthy(child, `http://127.0.0.1:${management}/health/ready`, join(home, 'test.log'));
  } catch (error) {
    await stop();
    throw error;
  }
  const admin = new KeycloakAdmin({ url, clientId: 'delos-operator', clientSecret: CLIENT_SECRET });
  return { url, admin, clientSecret: CLIENT_SECRET, stop };
}

/** Unpacked and augmented once a cache; appears under its name only when it is complete. */
async function builtKeycloak(cache: string): Promise<string> {
  const folder = join(cache, 'test', `keycloak-${ARCHIVE.sha256.slice(0, 12)}`);
  if (await isThere(join(folder, 'bin/kc.sh'))) return folder;
  const archive = await fetchArtifact(ARCHIVE, cache, silent);
  const work = `${folder}.new-${process.pid}`;
  await mkdir(work, { recursive: true });
  try {
    await exec('tar', ['--extract', '--gzip', '--file', archive, '--directory', work, '--strip-components=1']);
    await exec(join(work, 'bin/kc.sh'), ['build', ...BUILD], { maxBuffer: 2 ** 24 });
    await rename(work, folder).catch(async (error: unknown) => {
      // Another run was faster.
      if (!(await isThere(join(folder, 'bin/kc.sh')))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

async function healthy(child: ChildProcess, url: string, log: string): Promise<void> {
  const until = performance.now() + START_LIMIT_MS;
  while (performance.now() < until && child.exitCode === null) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
    if (answer?.ok === true) return;
    await sleep(1000);
  }
  throw new Error(`Keycloak did not start:\n${(await readFile(log, 'utf8')).slice(-3000)}`);
}

/** kc.sh is a shell around Java: its group is ended. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  process.kill(-child.pid, 'SIGKILL');
  await gone;
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
