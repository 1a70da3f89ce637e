import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { silent } from '@delos/core';
import { freePort } from '@delos/host';
import { until } from '../until.ts';

/** The platform's chart repository as a process. */
export interface TestCharts {
  readonly port: number;
  readonly internalPort: number;
  /** Its volume. */
  readonly data: string;
  readonly up: () => Promise<void>;
  readonly kill: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/**
 * @param api the control API that it asks
 * @param projectLimit bytes of a project's charts; 0: no limit
 */
export async function testCharts(api: string, projectLimit = 0): Promise<TestCharts> {
  const { path } = await resolveTool('depot', silent);
  const data = await mkdtemp(join(tmpdir(), 'delos-charts-'));
  const [port, internalPort] = [await freePort(), await freePort()];
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const gone = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill('SIGKILL');
    await gone;
  };
  return {
    port,
    internalPort,
    data,
    up: async () => {
      child = spawn(path, ['projects'], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: {
          DELOS_API_URL: api,
          DELOS_CLUSTER: 'default',
          DELOS_CHARTS_DATA: data,
          DELOS_CHARTS_PREFIX: '/charts',
          DELOS_CHARTS_PROJECT_LIMIT: String(projectLimit),
          DELOS_PORT: String(port),
          DELOS_INTERNAL_PORT: String(internalPort),
        },
      });
      await until('the chart repository is ready', 30, async (last) => {
        const answer = await fetch(`http://127.0.0.1:${internalPort}/health/ready`).catch((error: unknown) =>
          last(String(error)),
        );
        return answer?.ok === true ? true : undefined;
      });
    },
    kill,
    stop: async () => {
      await kill();
      await rm(data, { recursive: true, force: true });
    },
  };
}
