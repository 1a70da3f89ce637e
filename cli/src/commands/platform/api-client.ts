import { DelosError, TERMINAL } from '@delos/core';
import { z } from 'zod';
import { direct, type Transport } from './gateway-route.ts';

const jobSchema = z.object({
  id: z.string(),
  name: z.string().nullish(),
  status: z.string(),
  history: z.object({
    reason: z.string().nullish(),
    description: z.string().nullish(),
    exit_code: z.number().nullish(),
  }),
});
export type ApiJob = z.infer<typeof jobSchema>;

const configSchema = z.object({
  authorized: z.boolean().optional(),
  clusters: z
    .array(z.object({ name: z.string(), monitoring_url: z.string(), orgs: z.array(z.string()).nullish() }))
    .default([]),
  projects: z.array(z.object({ name: z.string(), cluster_name: z.string(), org_name: z.string() })).default([]),
});
export type ApiConfig = z.infer<typeof configSchema>;

export interface JobRequest {
  readonly preset_name: string;
  readonly image: string;
  readonly cluster_name: string;
  readonly org_name: string;
  readonly project_name: string;
  readonly [field: string]: unknown;
}

export const isFinished = (job: ApiJob): boolean => TERMINAL.has(job.status);

/** The public API, as far as the command line needs it. */
export class ApiClient {
  readonly #url: string;
  readonly #token: string;
  readonly #signal: AbortSignal;
  readonly #transport: Transport;

  /** @param url ends in `/api/v1` */
  constructor(url: string, token: string, signal: AbortSignal, transport: Transport = direct) {
    this.#transport = transport;
    this.#url = url;
    this.#token = token;
    this.#signal = signal;
  }

  async config(): Promise<ApiConfig> {
    return configSchema.parse(await (await this.ask('GET', '/config')).json());
  }

  async createJob(request: JobRequest): Promise<ApiJob> {
    return jobSchema.parse(await (await this.ask('POST', '/jobs?from_preset', request)).json());
  }

  async job(id: string): Promise<ApiJob> {
    return jobSchema.parse(await (await this.ask('GET', `/jobs/${encodeURIComponent(id)}`)).json());
  }

  async tryJob(id: string): Promise<ApiJob | undefined> {
    try {
      return await this.job(id);
    } catch (error) {
      if (error instanceof DelosError && error.code === 'ERR_UNKNOWN_JOB') return undefined;
      throw error;
    }
  }

  /** Jobs of this name, oldest first. */
  async jobsNamed(name: string, where: Readonly<Record<string, string>>): Promise<readonly ApiJob[]> {
    const query = new URLSearchParams({ ...where, name });
    const body = await (await this.ask('GET', `/jobs?${query}`)).json();
    return z.object({ jobs: z.array(jobSchema) }).parse(body).jobs;
  }

  /**
   * The whole log: replayed from its start, followed until the container has ended.
   * @throws DelosError ERR_CLUSTER_UNREACHABLE; the signal's reason once it is aborted, since what came may be a part
   */
  log(monitoringUrl: string, id: string): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      const socket = this.logSocket(monitoringUrl, id);
      const stop = (): void => socket.close();
      this.#signal.addEventListener('abort', stop, { once: true });
      socket.addEventListener('message', ({ data }) => {
        if (data instanceof ArrayBuffer) chunks.push(Buffer.from(data));
      });
      socket.addEventListener('error', () => {
        const unreached = `the log of ${id} cannot be read from ${monitoringUrl}`;
        reject(this.#signal.aborted ? this.#signal.reason : new DelosError('ERR_CLUSTER_UNREACHABLE', unreached));
      });
      socket.addEventListener('close', () => {
        this.#signal.removeEventListener('abort', stop);
        if (this.#signal.aborted) reject(this.#signal.reason);
        else resolve(Buffer.concat(chunks));
      });
    });
  }

  /** An open log WebSocket: binary frames, closed by the server at the end. */
  logSocket(monitoringUrl: string, id: string): WebSocket {
    const url = `${monitoringUrl.replace(/\/$/, '')}/${id}/log_ws`.replace(/^http/, 'ws');
    const socket = this.#transport.socket(url, this.#token);
    socket.binaryType = 'arraybuffer';
    return socket;
  }

  /**
   * @param path after `/api/v1`
   * @param body sent as JSON; bytes as they are
   * @throws DelosError ERR_CLUSTER_UNREACHABLE, or what the platform refused it with
   */
  async ask(method: string, path: string, body?: unknown): Promise<Response> {
    const bytes = body instanceof Uint8Array;
    let response: Response;
    try {
      response = await this.#transport.fetch(this.#url + path, {
        method,
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body === undefined ? {} : { 'content-type': bytes ? 'application/octet-stream' : 'application/json' }),
        },
        ...(body === undefined ? {} : { body: bytes ? new Uint8Array(body) : JSON.stringify(body) }),
        signal: AbortSignal.any([this.#signal, AbortSignal.timeout(60_000)]),
      });
    } catch (cause) {
      throw new DelosError(
        'ERR_CLUSTER_UNREACHABLE',
        `the platform's API does not answer: ${method} ${this.#url}${path}`,
        {
          hint: '`delos status` tells which part is not running',
          cause,
        },
      );
    }
    if (response.ok) return response;
    const text = await response.text();
    const told = tryError(text);
    const message = `${method} ${path}: ${response.status} ${told?.error ?? text.slice(0, 200)}`;
    if (told?.code === 'ERR_UNKNOWN_JOB') throw new DelosError('ERR_UNKNOWN_JOB', message);
    if (response.status === 404) throw new DelosError('ERR_NOT_FOUND', message);
    if (response.status === 401) throw new DelosError('ERR_UNAUTHENTICATED', message);
    if (response.status === 409) throw new DelosError('ERR_CONFLICT', message);
    if (response.status === 403) throw new DelosError('ERR_FORBIDDEN', message);
    throw new DelosError('ERR_REQUEST', message, { data: { status: response.status } });
  }
}

function tryError(body: string): { readonly error: string; readonly code?: string | undefined } | undefined {
  try {
    return z.object({ error: z.string(), code: z.string().optional() }).parse(JSON.parse(body));
  } catch {
    return undefined;
  }
}
