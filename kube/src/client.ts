import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeAccess, KubeCredentials } from './access.ts';
import { isNotFound, KubeError } from './errors.ts';
import { isObject, type Json, type JsonObject } from './json.ts';

export type Query = Readonly<Record<string, string | readonly string[]>>;

export interface KubeRequest {
  readonly query?: Query;
  readonly body?: unknown;
  /** @default application/json */
  readonly contentType?: string;
  /** @default application/json */
  readonly accept?: string;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until an answer must be complete, from the moment it is asked for. @default the client's */
  readonly limitMs?: number;
}

export interface ApplyOptions {
  /** @default the client's */
  readonly fieldManager?: string;
  /** Takes fields over that others own. @default true */
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface KubeClientOptions {
  /** Name that fields are owned under. */
  readonly fieldManager: string;
  /** Milliseconds until an answer must be complete. @default 30 s */
  readonly limitMs?: number;
  /** How often a request is sent whose failure passes: no connection, 429, 500, 503, 504. @default 1 */
  readonly attempts?: number;
  /** Bytes of an answer that are taken. @default 256 MiB */
  readonly maxBytes?: number;
}

const LIMIT_MS = 30_000;
const MAX_BYTES = 256 * 2 ** 20;
/** Bytes of one event of a watch: no object in etcd is larger than a part of it. */
const MAX_LINE_BYTES = 16 * 2 ** 20;
/** Nothing was done, or doing it again is the same. */
const PASSING = new Set([429, 500, 503, 504]);

/** The plain Kubernetes API by path. Errors are {@link KubeError}, or the connection's. */
export class KubeClient {
  readonly access: KubeAccess;
  readonly #options: KubeClientOptions;
  readonly #agent: http.Agent;
  /** Watches hold their connections, one for each collection: they must not use up those of other calls. */
  readonly #watches: http.Agent;

  constructor(access: KubeAccess, options: KubeClientOptions) {
    this.access = access;
    this.#options = options;
    const agent = (each: http.AgentOptions): http.Agent =>
      access.server.startsWith('https:') ? new https.Agent(each) : new http.Agent(each);
    this.#agent = agent({ keepAlive: true, maxSockets: 32, scheduling: 'lifo' });
    this.#watches = agent({});
  }

  /** @throws KubeError, or the connection's error, once all attempts have failed */
  async request(method: string, path: string, request: KubeRequest = {}): Promise<Json> {
    const { attempts = 1 } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#answer(method, path, request);
      } catch (error) {
        request.signal?.throwIfAborted();
        const passing = error instanceof KubeError ? PASSING.has(error.status) : true;
        if (!passing || attempt >= attempts) throw error;
        await sleep(200 * 2 ** attempt, undefined, { ...(request.signal ? { signal: request.signal } : {}) });
      }
    }
  }

  get(path: string, query: Query = {}, request: KubeRequest = {}): Promise<Json> {
    return this.request('GET', path, { ...request, query });
  }

  /** Undefined where there is no such object. */
  async tryGet(path: string, request: KubeRequest = {}): Promise<JsonObject | undefined> {
    try {
      return objectOf(await this.request('GET', path, request));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  create(path: string, body: unknown, request: KubeRequest = {}): Promise<Json> {
    const query = { fieldManager: this.#options.fieldManager, ...request.query };
    return this.request('POST', path, { ...request, body, query });
  }

  /** A merge patch (RFC 7386). */
  patch(path: string, body: unknown, request: KubeRequest = {}): Promise<Json> {
    return this.request('PATCH', path, { ...request, body, contentType: 'application/merge-patch+json' });
  }

  /**
   * Server-side apply: creates the object, or makes our fields what they shall be.
   * @see https://kubernetes.io/docs/reference/using-api/server-side-apply/
   */
  async apply(path: string, body: unknown, options: ApplyOptions = {}): Promise<JsonObject> {
    const { fieldManager = this.#options.fieldManager, force = true, dryRun = false, signal } = options;
    const query = {
      fieldManager,
      ...(force ? { force: 'true' } : {}),
      ...(dryRun ? { dryRun: 'All' } : {}),
    };
    return objectOf(
      await this.request('PATCH', path, { body, contentType: 'application/apply-patch+yaml', query, signal }),
    );
  }

  delete(path: string, body: unknown = {}, request: KubeRequest = {}): Promise<Json> {
    return this.request('DELETE', path, { ...request, body });
  }

  /**
   * Events of a watch, until the server ends it.
   * @param silenceMs so long without a byte means that the connection is dead
   * @throws KubeError, or the connection's error
   */
  async *watch(
    path: string,
    query: Query,
    silenceMs: number,
    signal: AbortSignal,
  ): AsyncGenerator<unknown, void, void> {
    const credentials = await this.access.credentials();
    const response = await this.#send('GET', path, { query, signal }, credentials, this.#watches);
    response.setTimeout(silenceMs, () => response.destroy(new Error(`${path}: no event for ${silenceMs} ms`)));
    let rest = '';
    response.setEncoding('utf8');
    for await (const chunk of response) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE_BYTES) throw new Error(`${path}: an event is longer than ${MAX_LINE_BYTES} bytes`);
      for (const line of lines) if (line !== '') yield JSON.parse(line);
    }
  }

  /** For a connection that is none of HTTP's requests, such as a WebSocket: its URL and credentials. */
  async target(path: string, query: Query): Promise<{ readonly url: URL; readonly credentials: KubeCredentials }> {
    return { url: this.#url(path, query), credentials: await this.access.credentials() };
  }

  close(): void {
    this.#agent.destroy();
    this.#watches.destroy();
  }

  async #answer(method: string, path: string, request: KubeRequest): Promise<Json> {
    // Whoever must sign in first may take as long as that takes: the limit is the server's.
    const credentials = await this.access.credentials();
    const limitMs = request.limitMs ?? this.#options.limitMs ?? LIMIT_MS;
    const limit = AbortSignal.timeout(limitMs);
    const signal = request.signal ? AbortSignal.any([limit, request.signal]) : limit;
    try {
      const response = await this.#send(method, path, { ...request, signal }, credentials, this.#agent);
      return parseBody(await bodyOf(response, this.#options.maxBytes ?? MAX_BYTES));
    } catch (error) {
      if (limit.aborted && !(error instanceof KubeError)) {
        throw new Error(`${method} ${path}: no answer within ${limitMs / 1000} s`, { cause: error });
      }
      throw error;
    }
  }

  async #send(
    method: string,
    path: string,
    request: KubeRequest,
    { headers: identity, agent: proxy, ...tls }: KubeCredentials,
    agent: http.Agent,
  ): Promise<IncomingMessage> {
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const headers: http.OutgoingHttpHeaders = { accept: request.accept ?? 'application/json', ...identity };
    if (body !== undefined) {
      headers['content-type'] = request.contentType ?? 'application/json';
      headers['content-length'] = Buffer.byteLength(body);
    }
    const url = this.#url(path, request.query ?? {});
    const options: https.RequestOptions = {
      ...tls,
      method,
      headers,
      agent: proxy ?? agent,
      ...(request.signal ? { signal: request.signal } : {}),
    };
    let response: IncomingMessage;
    try {
      response = await attempt(url, options, body);
    } catch (error) {
      if (!(error instanceof Stale)) throw error;
      await sleep(10);
      response = await attempt(url, options, body);
    }
    const status = response.statusCode ?? 0;
    if (status >= 200 && status <= 299) return response;
    throw await failureOf(response);
  }

  #url(path: string, query: Query): URL {
    const url = new URL(this.access.server + path);
    for (const [name, value] of Object.entries(query)) {
      for (const item of typeof value === 'string' ? [value] : value) url.searchParams.append(name, item);
    }
    return url;
  }
}

/** The answer of the API server, or of a proxy before it, that is not a success. */
export async function failureOf(response: IncomingMessage): Promise<KubeError> {
  const body = await bodyOf(response, 2 ** 20).catch(() => '');
  return new KubeError(response.statusCode ?? 0, parseBody(body));
}

/** The server closed a kept connection just as it was taken: nothing was done, so it is asked again. */
class Stale extends Error {}

function attempt(url: URL, options: https.RequestOptions, body: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? https : http).request(url, options);
    request.once('response', resolve);
    request.once('error', (error) => {
      const stale = request.reusedSocket && isReset(error) && options.signal?.aborted !== true;
      reject(stale ? new Stale(error.message, { cause: error }) : error);
    });
    request.end(body);
  });
}

const isReset = (error: Error): boolean => 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');

async function bodyOf(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** JSON, or the text itself. */
function parseBody(body: string): Json {
  try {
    return JSON.parse(body) as Json;
  } catch {
    return body;
  }
}

function objectOf(value: Json): JsonObject {
  if (!isObject(value)) throw new Error('the API server answered with something that is not an object');
  return value;
}
