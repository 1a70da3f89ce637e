import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { silent } from '@delos/core';
import { freePort } from '@delos/host';
import { execute, expectOk } from '@delos/peers';
import { until } from '@delos/test';

const SOURCE = join(import.meta.dirname, '../../bare');

/** A file server that checks nothing, and the program that drives a storage. */
export interface Bare {
  readonly program: string;
  readonly url: string;
  readonly data: string;
  readonly stop: () => Promise<void>;
}

/** @param folder of ours, where the program and its files are */
export async function startBare(folder: string): Promise<Bare> {
  const { path: go } = await resolveTool('go', silent);
  const program = join(folder, 'bare');
  // The file server needs no proxy and no C.
  await expectOk(
    execute([go, 'build', '-o', program, '.'], {
      cwd: SOURCE,
      env: { ...process.env, CGO_ENABLED: '0' },
      timeout: 300,
    }),
  );
  const data = join(folder, 'bare-data');
  await mkdir(data);
  const port = await freePort();
  const child = spawn(program, ['serve', data, String(port)], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  process.once('exit', () => void child.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  await until('the bare file server answers', 30, async () =>
    (await fetch(`${url}/api/v1/storage/?op=GETFILESTATUS`).catch(() => undefined))?.ok === true ? true : undefined,
  );
  return {
    program,
    url,
    data,
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
