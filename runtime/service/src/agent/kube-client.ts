import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type WebSocket from 'ws';
import { z } from 'zod';
import type { KubeAccess } from './kube-access.ts';
import { openPaused } from './streams/paused-socket.ts';

/** An answer of the API server that is not 2xx. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

export function isKubeError(error: unknown, status: number): error is KubeError {
  return error instanceof KubeError && error.status === status;
}

const failure = z.object({ reason: z.string().optional(), message: z.string().optional() });

export type Query = Readonly<Record<string, string | readonly string[]>>;

interface RequestOptions {
  readonly query?: Query;
  readonly body?: unknown;
  /** @default application/json */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  readonly agent?: http.Agent;
}

const TIMEOUT_MS = 30_000;
/** A watch is asked to end before that: silence this long means that the connection is dead. */
const WATCH_SILENCE_MS = 150_000;

/** The few calls that the agent makes; errors are {@link KubeError} or the network's. */
export class KubeClient {
  readonly #access: KubeAccess;
  readonly #agent: http.Agent;
  /** Watches hold their connections, one a collection: they must not use up those of other calls. */
  readonly #watches: http.Agent;

  constructor(access: KubeAccess) {
    this.#access = access;
    const agent = (options: http.AgentOptions): http.Agent =>
      access.server.startsWith('https:') ? new https.Agent({ ...options, ...access.tls }) : new http.Agent(options);
    this.#agent = agent({ keepAlive: true, maxSockets: 32, scheduling: 'lifo' });
    this.#watches = agent({});
  }

  get(path: string, query: Query = {}): Promise<unknown> {
    return this.#json('GET', path, { query });
  }

  create(path: string, body: unknown): Promise<unknown> {
    return this.#json('POST', path, { body, query: { fieldManager: 'delos-agent' } });
  }

  patch(path: string, body: unknown): Promise<unknown> {
    return this.#json('PATCH', path, { body, contentType: 'application/merge-patch+json' });
  }

  /** Server-side apply: creates it, or makes our fields what they shall be. */
  apply(path: string, body: unknown): Promise<unknown> {
    return this.#json('PATCH', path, {
      body,
      contentType: 'application/apply-patch+yaml',
      query: { fieldManager: 'delos-agent', force: 'true' },
    });
  }

  delete(path: string, body: unknown): Promise<unknown> {
    return this.#json('DELETE', path, { body });
  }

  /** Lines of a watch, until the server ends it. @throws when the connection fails or falls silent. */
  async *watch(path: string, query: Query, signal: AbortSignal): AsyncGenerator<unknown, void, void> {
    const response = await this.#send('GET', path, { query, signal, agent: this.#watches });
    response.setTimeout(WATCH_SILENCE_MS, () => response.destroy(new Error('the watch fell silent')));
    let rest = '';
    response.setEncoding('utf8');
    for await (const chunk of response) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield JSON.parse(line);
    }
  }

  /** A WebSocket that is open, and paused: what comes waits until {@link WebSocket.resume}. */
  async socket(path: string, query: Query, protocols: readonly string[]): Promise<WebSocket> {
    const url = this.#url(path, query);
    url.protocol = url.protocol.replace('http', 'ws');
    return openPaused(url, {
      ...this.#access.tls,
      protocols,
      headers: await this.#authorization(),
      handshakeTimeout: TIMEOUT_MS,
      failure: (response) => this.#failure(response),
    });
  }

  close(): void {
    this.#agent.destroy();
    this.#watches.destroy();
  }

  async #json(method: string, path: string, options: RequestOptions): Promise<unknown> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const response = await this.#send(method, path, { ...options, signal: timeout });
    return JSON.parse(await text(response));
  }

  async #send(method: string, path: string, options: RequestOptions): Promise<IncomingMessage> {
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const headers: http.OutgoingHttpHeaders = { accept: 'application/json', ...(await this.#authorization()) };
    if (body !== undefined) {
      headers['content-type'] = options.contentType ?? 'application/json';
      headers['content-length'] = Buffer.byteLength(body);
    }
    const url = this.#url(path, options.query ?? {});
    const attempt = (): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const request = (url.protocol === 'https:' ? https : http).request(url, {
          method,
          headers,
          agent: options.agent ?? this.#agent,
          ...(options.signal === undefined ? {} : { signal: options.signal }),
        });
        request.once('response', resolve);
        request.once('error', (error) => {
          // The server closed a kept connection just as it was taken: nothing was done, so it is asked again.
          if (request.reusedSocket && isReset(error) && options.signal?.aborted !== true) reject(new Stale(error));
          else reject(error);
        });
        request.end(body);
      });
    let response: IncomingMessage;
    try {
      response = await attempt();
    } catch (error) {
      if (!(error instanceof Stale)) throw error;
      await sleep(10);
      response = await attempt();
    }
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw await this.#failure(response);
    return response;
  }

  async #failure(response: IncomingMessage): Promise<KubeError> {
    const body = await text(response).catch(() => '');
    const status = response.statusCode ?? 0;
    let parsed: z.infer<typeof failure> = {};
    try {
      parsed = failure.parse(JSON.parse(body));
    } catch {
      // A proxy's or the kubelet's plain words.
    }
    const message = parsed.message ?? body.slice(0, 1_000).trim();
    return new KubeError(status, parsed.reason ?? '', message === '' ? `HTTP ${status}` : message);
  }

  #url(path: string, query: Query): URL {
    const url = new URL(this.#access.server + path);
    for (const [name, value] of Object.entries(query)) {
      for (const item of typeof value === 'string' ? [value] : value) url.searchParams.append(name, item);
    }
    return url;
  }

  async #authorization(): Promise<Record<string, string>> {
    const token = await this.#access.token();
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }
}

class Stale extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

function isReset(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}
