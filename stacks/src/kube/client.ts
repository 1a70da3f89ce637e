import http from 'node:http';
import https from 'node:https';
import { isObject, type Json, type JsonObject, listAt, text } from '@delos/kube';
import type { KubeConfig } from '@kubernetes/client-node';
import { ApiError, isNotFound } from './api-error.ts';
import { Schemas } from './schema.ts';

/** Which object: its kind, name and, where the kind has one, namespace. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
}

export interface ApplyOptions {
  readonly fieldManager: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

export interface ResourceType {
  readonly plural: string;
  readonly namespaced: boolean;
}

interface RequestOptions {
  readonly body?: Json;
  readonly contentType?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly accept?: string;
}

const REQUEST_LIMIT_MS = 30_000;
/** Answers after which the same request may succeed: nothing was done, or doing it again is the same. */
const RETRY_STATUS = new Set([429, 500, 503, 504]);
const ATTEMPTS = 4;

/**
 * The Kubernetes API as the plugins need it: any kind, server-side apply, dry run. Authentication (certificates, tokens,
 * exec plugins, proxies) is the official client library's.
 */
export class KubeClient {
  readonly #config: KubeConfig;
  readonly #types = new Map<string, Promise<ReadonlyMap<string, ResourceType>>>();
  readonly #agent: https.Agent | http.Agent;
  /** What the server says of the types of fields. */
  readonly schemas = new Schemas((path) => this.request('GET', path));

  constructor(config: KubeConfig) {
    this.#config = config;
    this.#agent = this.server.startsWith('http:')
      ? new http.Agent({ keepAlive: true, maxSockets: 32 })
      : new https.Agent({ keepAlive: true, maxSockets: 32 });
  }

  get server(): string {
    return this.#config.getCurrentCluster()?.server ?? '';
  }

  /** The namespace of the context, for objects that name none. */
  get defaultNamespace(): string {
    return this.#config.getContextObject(this.#config.getCurrentContext())?.namespace ?? 'default';
  }

  /** @throws ApiError for an answer ≥ 400 once retries are used up, or what the connection throws. */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<Json> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(method, path, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        const again = error instanceof ApiError ? RETRY_STATUS.has(error.status) : true;
        if (!again || attempt >= ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200 * 2 ** attempt));
      }
    }
  }

  async #once(method: string, path: string, options: RequestOptions): Promise<Json> {
    const url = new URL(this.server.replace(/\/$/, '') + path);
    for (const [key, value] of Object.entries(options.query ?? {})) url.searchParams.set(key, value);
    const auth: https.RequestOptions = {};
    await this.#config.applyToHTTPSOptions(auth);
    const proxied = this.#config.getCurrentCluster()?.proxyUrl !== undefined;
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const request: https.RequestOptions = {
      ...auth,
      agent: proxied ? auth.agent : this.#agent,
      method,
      signal: AbortSignal.any([AbortSignal.timeout(REQUEST_LIMIT_MS), ...(options.signal ? [options.signal] : [])]),
      headers: {
        ...auth.headers,
        accept: options.accept ?? 'application/json',
        ...(body === undefined
          ? {}
          : { 'content-type': options.contentType ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
    };
    const answer = await new Promise<{ status: number; body: string }>((resolve, reject) => {
      const transport = url.protocol === 'http:' ? http : https;
      const call = transport.request(url, request, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        );
      });
      call.on('error', reject);
      call.end(body);
    });
    const parsed = parseBody(answer.body);
    if (answer.status >= 400) {
      throw new ApiError(answer.status, isObject(parsed) ? parsed : undefined, answer.body.trim().slice(0, 200));
    }
    return parsed;
  }

  /** What the server knows of a kind; undefined for one that it does not serve (yet). */
  async tryType(apiVersion: string, kind: string, signal?: AbortSignal): Promise<ResourceType | undefined> {
    const known = (await this.#discover(apiVersion, false, signal)).get(kind);
    // A definition may have been added since.
    return known ?? (await this.#discover(apiVersion, true, signal)).get(kind);
  }

  #discover(apiVersion: string, fresh: boolean, signal?: AbortSignal): Promise<ReadonlyMap<string, ResourceType>> {
    const cached = this.#types.get(apiVersion);
    if (cached !== undefined && !fresh) return cached;
    const found = this.request('GET', groupPath(apiVersion), { signal }).then(
      (list) =>
        new Map(
          listAt(list, 'resources')
            .filter((item) => !text(item, 'name').includes('/'))
            .map((item) => [
              text(item, 'kind'),
              { plural: text(item, 'name'), namespaced: isObject(item) && item.namespaced === true },
            ]),
        ),
      (error: unknown) => {
        this.#types.delete(apiVersion);
        if (isNotFound(error)) return new Map<string, ResourceType>();
        throw error;
      },
    );
    this.#types.set(apiVersion, found);
    return found;
  }

  async #path(ref: ObjectRef, signal?: AbortSignal): Promise<string> {
    const type = await this.tryType(ref.apiVersion, ref.kind, signal);
    if (type === undefined) {
      throw new ApiError(404, undefined, `the server does not serve ${ref.apiVersion} ${ref.kind}`);
    }
    const scope = type.namespaced ? `/namespaces/${encodeURIComponent(ref.namespace ?? this.defaultNamespace)}` : '';
    return `${groupPath(ref.apiVersion)}${scope}/${type.plural}/${encodeURIComponent(ref.name)}`;
  }

  async tryGet(ref: ObjectRef, signal?: AbortSignal): Promise<JsonObject | undefined> {
    try {
      return expectObject(await this.request('GET', await this.#path(ref, signal), { signal }));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Server-side apply. Creates what is not there. */
  async apply(ref: ObjectRef, object: JsonObject, options: ApplyOptions, signal?: AbortSignal): Promise<JsonObject> {
    const answer = await this.request('PATCH', await this.#path(ref, signal), {
      body: object,
      contentType: 'application/apply-patch+yaml',
      query: {
        fieldManager: options.fieldManager,
        ...(options.force === true ? { force: 'true' } : {}),
        ...(options.dryRun === true ? { dryRun: 'All' } : {}),
      },
      signal,
    });
    return expectObject(answer);
  }

  /** Replaces an object's managed fields. @throws ApiError 409 where the object has changed since it was read. */
  async setManagedFields(
    ref: ObjectRef,
    fields: readonly JsonObject[],
    options: { readonly resourceVersion: string; readonly fieldManager: string },
    signal?: AbortSignal,
  ): Promise<void> {
    await this.request('PATCH', await this.#path(ref, signal), {
      body: [
        { op: 'replace', path: '/metadata/managedFields', value: fields },
        { op: 'replace', path: '/metadata/resourceVersion', value: options.resourceVersion },
      ],
      contentType: 'application/json-patch+json',
      query: { fieldManager: options.fieldManager },
      signal,
    });
  }

  /** Answers false where nothing was there. */
  async delete(ref: ObjectRef, propagationPolicy: string, signal?: AbortSignal): Promise<boolean> {
    try {
      const body = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy };
      await this.request('DELETE', await this.#path(ref, signal), { body, signal });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /** Objects of a kind in one namespace. */
  async list(
    type: { readonly apiVersion: string; readonly plural: string; readonly namespace: string },
    query: Readonly<Record<string, string>> = {},
    signal?: AbortSignal,
  ): Promise<readonly JsonObject[]> {
    const path = `${groupPath(type.apiVersion)}/namespaces/${encodeURIComponent(type.namespace)}/${type.plural}`;
    return listAt(await this.request('GET', path, { query, signal }), 'items').filter(isObject);
  }

  /** The last lines a container wrote, '' where there are none to be had. */
  async logTail(
    pod: { readonly namespace: string; readonly name: string; readonly container: string; readonly previous: boolean },
    signal?: AbortSignal,
  ): Promise<string> {
    const path = `/api/v1/namespaces/${encodeURIComponent(pod.namespace)}/pods/${encodeURIComponent(pod.name)}/log`;
    const query = { container: pod.container, tailLines: '3', limitBytes: '4096', previous: String(pod.previous) };
    const answer = await this.request('GET', path, { query, signal, accept: '*/*' });
    return typeof answer === 'string' ? answer : JSON.stringify(answer);
  }
}

function groupPath(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

function parseBody(body: string): Json {
  try {
    return JSON.parse(body) as Json;
  } catch {
    return body;
  }
}

function expectObject(value: Json): JsonObject {
  if (!isObject(value)) throw new Error('the API server answered with something that is not an object');
  return value;
}
