import { type ChildProcess, spawn } from 'node:child_process';
import { resolveTool } from '@delos/cluster';
import { METRICS_LABEL, METRICS_PATH, METRICS_RIGHTS, silent } from '@delos/core';
import { freePort } from '@delos/host';
import { until } from '../until.ts';

/** The real proxy of metrics as a process. */
export interface TestMetricsProxy {
  readonly internalPort: number;
  /** Asks as a user: the path after the proxy's own, e.g. `/api/v1/query?query=up`. */
  ask(path: string, token: string | undefined, init?: RequestInit): Promise<{ status: number; text: string }>;
  stop(): Promise<void>;
}

/**
 * @param prometheus address of Prometheus
 * @param api address of the control API
 */
export async function startMetricsProxy(prometheus: string, api: string): Promise<TestMetricsProxy> {
  const { path } = await resolveTool('metrics-proxy', silent);
  const [port, internalPort] = [await freePort(), await freePort()];
  const child: ChildProcess = spawn(path, [], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      DELOS_PORT: String(port),
      DELOS_INTERNAL_PORT: String(internalPort),
      DELOS_PREFIX: METRICS_PATH,
      DELOS_LABEL: METRICS_LABEL,
      DELOS_PROMETHEUS_URL: prometheus,
      DELOS_SCOPE_URL: `${api}${METRICS_RIGHTS}`,
    },
  });
  await until('the proxy of metrics is ready', 30, async (last) => {
    const answer = await fetch(`http://127.0.0.1:${internalPort}/health/ready`).catch((error: unknown) =>
      last(String(error)),
    );
    return answer?.ok === true ? true : undefined;
  });
  return {
    internalPort,
    ask: async (asked, token, init = {}) => {
      const answer = await fetch(`http://127.0.0.1:${port}${METRICS_PATH}${asked}`, {
        ...init,
        headers: { ...init.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      });
      return { status: answer.status, text: await answer.text() };
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    },
  };
}
