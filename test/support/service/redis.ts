import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { type CacheAccess, Namespace, objectOf, Redis, synthOf } from '@delos/constructs';
import { freePort } from '@delos/host';
import { App, Chart } from 'cdk8s';
import { z } from 'zod';
import { until } from '../until.ts';
import { redisProgram } from './redis-program.ts';

/*
 * A real Redis for tests, started by the script and with the settings of the construct, on loopback. Only paths and the
 * port are others.
 */

export interface TestRedis {
  readonly port: number;
  readonly password: (user: string) => string;
  /** All that it has logged. */
  readonly logged: () => string;
  /** Stops it where it is, as a machine that hangs; connections stay open. */
  readonly freeze: () => void;
  readonly thaw: () => void;
  /** SIGKILL; resolves when it is gone. */
  readonly kill: () => Promise<void>;
  /** Starts it again after `kill`: empty, at the same port. */
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface RedisOptions {
  /** Most bytes of values. @default as the construct says */
  readonly maxMemory?: string;
  /** Passwords as somebody has put them into the Secrets. @default one for each user */
  readonly passwords?: Readonly<Record<string, string>>;
  /** User → what lies beside the file of its password while it is rotated. @default nothing */
  readonly beside?: Readonly<Record<string, { readonly ending: 'next' | 'former'; readonly password: string }>>;
  /** Files of a certificate and its key: it speaks TLS alone. @default plain TCP */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** @throws Error with what it logged, where it does not start */
export async function startRedis(
  users: Readonly<Record<string, CacheAccess>>,
  options: RedisOptions = {},
): Promise<TestRedis> {
  const { bin, env } = await redisProgram();
  const folder = await mkdtemp(join(tmpdir(), 'delos-redis-'));
  const run = join(folder, 'run');
  await mkdir(run);
  for (const [name, text] of Object.entries(filesOf(users))) {
    await writeFile(join(folder, name), text.replaceAll('/run/redis', run));
  }
  const password = (user: string): string => options.passwords?.[user] ?? `the-password-of-${user}`;
  for (const user of Object.keys(users)) {
    await mkdir(join(folder, 'passwords', user), { recursive: true });
    await writeFile(join(folder, 'passwords', user, 'password'), `${password(user)}\n`, { mode: 0o400 });
    const beside = options.beside?.[user];
    if (beside !== undefined) {
      await writeFile(join(folder, 'passwords', user, `password.${beside.ending}`), beside.password, { mode: 0o400 });
    }
  }
  const port = await freePort();
  const { maxMemory, tls } = options;
  const secure = {
    ...{ port: 0, 'tls-port': port, 'tls-cert-file': tls?.certificate, 'tls-key-file': tls?.key },
    'tls-auth-clients': 'no',
  };
  const more = {
    ...(tls === undefined ? { port } : secure),
    bind: '127.0.0.1',
    ...(maxMemory === undefined ? {} : { maxmemory: maxMemory }),
  };
  let logged = '';
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const started = spawn(
      'sh',
      [join(folder, 'start.sh'), ...Object.entries(more).flatMap(([key, value]) => [`--${key}`, String(value)])],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...env,
          PATH: [bin, process.env.PATH].join(delimiter),
          REDIS_CONFIG: folder,
          REDIS_PASSWORDS: join(folder, 'passwords'),
          REDIS_RUN: run,
        },
      },
    );
    child = started;
    for (const stream of [started.stdout, started.stderr]) {
      stream.on('data', (data: Buffer) => {
        logged += data.toString();
      });
    }
    await until('Redis answers', 20, async () => {
      if (started.exitCode !== null) throw new Error(`Redis ended with ${started.exitCode}:\n${logged}`);
      return (await answers(port, tls !== undefined)) ? true : undefined;
    });
  };
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child?.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  const stop = async (): Promise<void> => {
    await kill();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    password,
    logged: () => logged,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    kill,
    start,
    stop,
  };
}

/** The files that the construct mounts for these users. */
function filesOf(users: Readonly<Record<string, CacheAccess>>): Readonly<Record<string, string>> {
  const chart = new Chart(new App(), 'chart');
  const redis = new Redis(chart, 'redis', { namespace: new Namespace(chart, 'lab') });
  for (const [name, access] of Object.entries(users)) redis.user(name, access);
  return z.record(z.string(), z.string()).parse(objectOf(synthOf(chart), 'ConfigMap', 'redis').manifest.data);
}

/** Whether the server answers, be it that it does not know us. */
function answers(port: number, secure: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const at = { port, host: '127.0.0.1' };
    const ask = (): void => void socket.write('PING\r\n');
    const socket = secure ? connectTls({ ...at, rejectUnauthorized: false }, ask) : createConnection(at, ask);
    socket.setTimeout(2_000, () => socket.destroy());
    socket.once('data', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}
