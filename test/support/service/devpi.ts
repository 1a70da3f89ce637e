import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@delos/host';
import { execute, expectOk, type RunningCommand, start } from '../../../peers/src/command.ts';
import { pythonOf } from '../../../peers/src/python-client.ts';
import { untilReady } from '../until-ready.ts';

const IMAGE = join(import.meta.dirname, '../../../artifacts/images/devpi');

/** The image's own programs, with the wheels of the image. */
export interface TestDevpi {
  readonly data: string;
  readonly port: number;
  /** Of health and metrics. */
  readonly internalPort: number;
  /** Python with the wheels. */
  readonly python: string;
  /** Starts a program of the image. */
  readonly program: (name: 'prepare' | 'serve') => RunningCommand;
  /** Prepares, serves, and waits until it is ready. */
  readonly up: () => Promise<void>;
  /** SIGKILL. */
  readonly kill: () => Promise<void>;
  /** The way a Pod is ended; gives the exit code. */
  readonly end: () => Promise<number>;
  readonly logged: () => string;
  readonly stop: () => Promise<void>;
}

/** @param api the control API that it asks */
export async function testDevpi(
  api: string,
  options: { readonly data?: string; readonly maxUpload?: number } = {},
): Promise<TestDevpi> {
  const venv = await pythonOf('devpi', join(IMAGE, 'requirements.txt'));
  const python = join(venv, 'bin/python3');
  const own = options.data === undefined ? await mkdtemp(join(tmpdir(), 'delos-devpi-')) : undefined;
  const data = options.data ?? own ?? '';
  const ports = { http: await freePort(), internal: await freePort() };
  let running: RunningCommand | undefined;
  const program = (name: string): RunningCommand =>
    start([python, '-m', `delos_devpi.${name}`], {
      timeout: 600,
      env: {
        PATH: '/usr/bin:/bin',
        PYTHONPATH: IMAGE,
        PYTHONDONTWRITEBYTECODE: '1',
        PYTHONUNBUFFERED: '1',
        DELOS_API_URL: api,
        DELOS_CLUSTER: 'default',
        DELOS_DEVPI_DATA: data,
        DELOS_DEVPI_PREFIX: '/pypi',
        DELOS_DEVPI_PORT: String(ports.http),
        DELOS_DEVPI_INTERNAL_PORT: String(ports.internal),
        DELOS_DEVPI_MAX_UPLOAD: String(options.maxUpload ?? 64 * 2 ** 20),
      },
    });
  const end = async (signal: NodeJS.Signals): Promise<number> => {
    const ending = running;
    running = undefined;
    ending?.child.kill(signal);
    return (await ending?.end)?.code ?? 0;
  };
  return {
    data,
    port: ports.http,
    internalPort: ports.internal,
    python,
    program,
    up: async () => {
      await expectOk(program('prepare').end);
      const serving = program('serve');
      running = serving;
      await untilReady('DevPI', serving, ports.internal);
    },
    kill: async () => void (await end('SIGKILL')),
    end: () => end('SIGTERM'),
    logged: () => `${running?.stdout() ?? ''}${running?.stderr() ?? ''}`,
    stop: async () => {
      await end('SIGKILL');
      if (own !== undefined) await rm(own, { recursive: true, force: true });
    },
  };
}

/** A file system in memory of this size; @returns what unmounts it */
export async function smallVolume(folder: string, mib: number): Promise<() => Promise<void>> {
  await expectOk(execute(['mount', '-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', folder]));
  return async () => void (await expectOk(execute(['umount', '--lazy', folder])));
}
