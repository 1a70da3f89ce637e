import { z } from 'zod';
import { testPlatform, token } from '../instance.ts';
import { until } from '../until.ts';

export const jobDocument = z.looseObject({
  id: z.string(),
  name: z.string().nullish(),
  status: z.string(),
  namespace: z.string().nullish(),
  description: z.string().nullish(),
  tags: z.array(z.string()).nullish(),
  max_run_time_minutes: z.number().nullish(),
  history: z.looseObject({
    reason: z.string().nullish(),
    description: z.string().nullish(),
    exit_code: z.number().nullish(),
    restarts: z.number().nullish(),
  }),
  statuses: z
    .array(z.looseObject({ status: z.string(), reason: z.string().nullish(), description: z.string().nullish() }))
    .default([]),
});
export type JobDocument = z.infer<typeof jobDocument>;

/** The public API without the official client, for what that client does not let one send. */
export interface Api {
  call(method: string, path: string, body?: unknown, init?: RequestInit): Promise<Response>;
  create(request: Readonly<Record<string, unknown>>): Promise<JobDocument>;
  job(id: string): Promise<JobDocument>;
  ended(id: string, limit?: number): Promise<JobDocument>;
  running(id: string, limit?: number): Promise<JobDocument>;
  /** Opens the job's log; `onData` gets each frame. Resolves when the server closes; rejects when it is cut off. */
  follow(id: string, onData: (data: Buffer) => void): Promise<void>;
  /** The whole log, once the job has ended. */
  log(id: string): Promise<Buffer>;
}

export const FINISHED = new Set(['succeeded', 'failed', 'cancelled']);

/** @param url of the API of a platform that the test has made itself; else that of the test run */
export async function api(user = 'ann', url?: string): Promise<Api> {
  const apiUrl = url ?? (await testPlatform()).apiUrl;
  const bearer = await token(user, '6h');
  const call = (method: string, path: string, body?: unknown, init: RequestInit = {}): Promise<Response> =>
    fetch(apiUrl + path, {
      method,
      ...init,
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json', ...init.headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: init.signal ?? AbortSignal.timeout(60_000),
    });
  const monitoring = z
    .object({ clusters: z.array(z.object({ monitoring_url: z.string() })).min(1) })
    .parse(await (await call('GET', '/config')).json()).clusters[0]?.monitoring_url as string;
  const job = async (id: string): Promise<JobDocument> => {
    const response = await call('GET', `/jobs/${id}`);
    if (!response.ok) throw new Error(`GET /jobs/${id}: ${response.status} ${await response.text()}`);
    return jobDocument.parse(await response.json());
  };
  const state = (id: string, what: string, limit: number, good: (job: JobDocument) => boolean): Promise<JobDocument> =>
    until(`${id} ${what}`, limit, async (last) => {
      // While a test kills the API its gateway answers 502: that is no end of the job.
      const found = await job(id).catch((error: unknown) => last(String(error)));
      if (found === undefined) return undefined;
      last([found.status, found.history.reason, found.history.description]);
      return good(found) ? found : undefined;
    });
  const follow = (id: string, onData: (data: Buffer) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      const url = `${monitoring}/${id}/log_ws`.replace(/^http/, 'ws');
      const socket = new WebSocket(url, { headers: { authorization: `Bearer ${bearer}` } } as never);
      socket.binaryType = 'arraybuffer';
      socket.addEventListener('message', ({ data }) => {
        if (data instanceof ArrayBuffer) onData(Buffer.from(data));
        else reject(new Error(`a text frame: ${String(data).slice(0, 200)}`));
      });
      socket.addEventListener('error', () => reject(new Error(`log of ${id}: cut off`)));
      socket.addEventListener('close', ({ code }) =>
        code === 1000 ? resolve() : reject(new Error(`log of ${id}: closed with ${code}`)),
      );
    });
  return {
    call,
    job,
    follow,
    ended: (id, limit = 120) => state(id, 'has ended', limit, ({ status }) => FINISHED.has(status)),
    running: (id, limit = 120) => state(id, 'runs', limit, ({ status }) => status === 'running'),
    create: async (request) => {
      const response = await call('POST', '/jobs?from_preset', { ...DEFAULTS, ...request });
      const text = await response.text();
      if (!response.ok) throw new Error(`POST /jobs: ${response.status} ${text}`);
      return jobDocument.parse(JSON.parse(text));
    },
    log: async (id) => {
      const parts: Buffer[] = [];
      await follow(id, (data) => parts.push(data));
      return Buffer.concat(parts);
    },
  };
}

export const IMAGE = 'ghcr.io/neuro-inc/base';

/** A request for a small job, as the official client makes it. */
export const DEFAULTS = {
  preset_name: 'tiny',
  image: IMAGE,
  cluster_name: 'default',
  org_name: 'default',
  project_name: 'default',
  pass_config: false,
  max_run_time_minutes: 60,
};
