import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { resolveTool } from '@delos/cluster';
import { silent } from '@delos/core';
import { freePort } from '@delos/host';
import { execute, type RunningCommand, start } from '../../../peers/src/command.ts';
import { until } from '../until.ts';

/** The image's own program on a folder of this machine. */
export interface TestVictoriaLogs {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Lines that a question finds, as objects. */
  query(text: string): Promise<readonly Readonly<Record<string, string>>[]>;
  /** SIGKILL. */
  kill(): Promise<void>;
  up(): Promise<void>;
  stop(): Promise<void>;
}

export async function testVictoriaLogs(): Promise<TestVictoriaLogs> {
  const { path } = await resolveTool('victoria-logs', silent);
  const folder = await mkdtemp(join(tmpdir(), 'delos-victoria-logs-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let running: RunningCommand | undefined;
  const kill = async (): Promise<void> => {
    const ending = running;
    running = undefined;
    ending?.child.kill('SIGKILL');
    await ending?.end;
  };
  let startedIn = 0;
  const up = async (): Promise<void> => {
    // It tells its start to the second. In a cluster no Pod is ready twice within one.
    while (Math.floor(Date.now() / 1_000) === startedIn) await sleep(50);
    startedIn = Math.floor(Date.now() / 1_000);
    const args = [
      `-storageDataPath=${folder}`,
      `-httpListenAddr=127.0.0.1:${port}`,
      '-retentionPeriod=100y',
      '-inmemoryDataFlushInterval=2s',
      '-insert.maxLineSizeBytes=512KiB',
      '-delete.enable',
    ];
    const serving = start([path, ...args, '-memory.allowedBytes=200MB'], {
      timeout: 3600,
      env: { PATH: '/usr/bin:/bin' },
    });
    running = serving;
    await until(
      'VictoriaLogs answers',
      30,
      async (last) => {
        last(serving.stderr());
        return (await fetch(`${url}/health`).catch(() => undefined))?.ok === true ? true : undefined;
      },
      20,
    );
  };
  await up();
  return {
    url,
    query: async (text) => {
      // What it took within a second is else found by one question and not by the next.
      await fetch(`${url}/internal/force_flush`);
      const answer = await fetch(`${url}/select/logsql/query`, {
        method: 'POST',
        body: new URLSearchParams({ query: text }),
      });
      const body = await answer.text();
      if (!answer.ok) throw new Error(body);
      return body
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line));
    },
    kill,
    up,
    stop: async () => {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What this program says of itself. */
export const victoriaLogsVersion = async (): Promise<string> =>
  (await execute([(await resolveTool('victoria-logs', silent)).path, '-version'])).stdout;
