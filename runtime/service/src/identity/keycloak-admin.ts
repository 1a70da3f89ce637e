import { setTimeout as sleep } from 'node:timers/promises';
import { DelosError } from '@delos/core';
import { z } from 'zod';
import { type LiveSecret, liveOf } from '../live-secret.ts';
import { askWithEach } from './ask-with-each.ts';

export interface KeycloakSettings {
  /** Up to and with Keycloak's path, no trailing slash: `http://keycloak:8080/auth`. */
  readonly url: string;
  readonly clientId: string;
  /** While it is rotated Keycloak takes one of those that are accepted. */
  readonly clientSecret: string | LiveSecret;
}

export interface WaitOptions {
  /** Seconds until the wait for Keycloak is given up. @default 600 */
  readonly limitSeconds?: number;
  /** Told at the start of each ten seconds of waiting. */
  readonly onWait?: (text: string) => void;
  readonly signal?: AbortSignal;
}

const REQUEST_MS = 30_000;
const ATTEMPTS = 5;
/** Renewed this long before it ends. */
const TOKEN_MARGIN_MS = 15_000;

const tokenAnswer = z.object({ access_token: z.string(), expires_in: z.number() });

/** Keycloak's Admin REST API, as a client of the realm `master`. Retries what may be tried again, a bounded time. */
export class KeycloakAdmin {
  readonly #settings: KeycloakSettings;
  readonly #secret: LiveSecret;
  #token: { readonly value: string; readonly until: number } | undefined;
  #taken: string | undefined;

  constructor(settings: KeycloakSettings) {
    this.#settings = settings;
    this.#secret = liveOf(settings.clientSecret);
  }

  /** The secret that Keycloak shall be told of, where it took another one at the last login. */
  get untold(): string | undefined {
    const current = this.#secret.current();
    return this.#taken === undefined || this.#taken === current ? undefined : current;
  }

  /** Until Keycloak answers and takes the client's secret. @throws DelosError ERR_TIMEOUT with the last reason */
  async waitUntilReady(options: WaitOptions = {}): Promise<void> {
    const limit = options.limitSeconds ?? 600;
    const started = performance.now();
    let told = Number.NEGATIVE_INFINITY;
    for (;;) {
      let reason: string;
      try {
        await this.#login();
        return;
      } catch (error) {
        if (error instanceof DelosError && error.code === 'ERR_UNAUTHENTICATED') throw error;
        reason = reasonOf(error);
      }
      const elapsed = Math.round((performance.now() - started) / 1000);
      const text = `waiting for Keycloak at ${this.#settings.url} to answer: ${reason} (${elapsed} s of ${limit} s)`;
      if (elapsed >= limit) throw new DelosError('ERR_TIMEOUT', text, { hint: '`delos logs keycloak` tells why' });
      if (elapsed - told >= 10) {
        options.onWait?.(text);
        told = elapsed;
      }
      await sleep(1000, undefined, options.signal === undefined ? {} : { signal: options.signal });
    }
  }

  /** Undefined where there is none (404). */
  async tryGet<T>(schema: z.ZodType<T>, path: string): Promise<T | undefined> {
    const response = await this.#request('GET', path);
    if (response.status === 404) return undefined;
    return schema.parse(await accepted(response, 'GET', path).then((answer) => answer.json()));
  }

  async get<T>(schema: z.ZodType<T>, path: string): Promise<T> {
    const found = await this.tryGet(schema, path);
    if (found === undefined) throw new DelosError('ERR_NOT_FOUND', `Keycloak has no ${path}`);
    return found;
  }

  /** False where it was there already (409): another one of us was faster. */
  async create(path: string, body: unknown): Promise<boolean> {
    const response = await this.#request('POST', path, body);
    if (response.status === 409) return false;
    await accepted(response, 'POST', path);
    return true;
  }

  async put(path: string, body?: unknown): Promise<void> {
    await accepted(await this.#request('PUT', path, body), 'PUT', path);
  }

  async delete(path: string): Promise<void> {
    const response = await this.#request('DELETE', path);
    if (response.status !== 404) await accepted(response, 'DELETE', path);
  }

  /** The answer as it comes, a refusal too. */
  async answer(method: 'POST', path: string, body: unknown): Promise<Response> {
    return this.#request(method, path, body);
  }

  /** What a POST is answered by. */
  async postFor<T>(schema: z.ZodType<T>, path: string, body: unknown): Promise<T> {
    const response = await accepted(await this.#request('POST', path, body), 'POST', path);
    return schema.parse(await response.json());
  }

  async post(path: string, body?: unknown): Promise<void> {
    await accepted(await this.#request('POST', path, body), 'POST', path);
  }

  async #request(method: string, path: string, body?: unknown): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await fetch(`${this.#settings.url}/admin${path}`, {
          method,
          headers: {
            authorization: `Bearer ${await this.#login()}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          signal: AbortSignal.timeout(REQUEST_MS),
        });
        if (response.status === 401 && attempt < ATTEMPTS) {
          this.#token = undefined;
          continue;
        }
        if (response.status < 500 || attempt >= ATTEMPTS) return response;
      } catch (error) {
        if (error instanceof DelosError || attempt >= ATTEMPTS) throw failed(method, path, error);
      }
      await sleep(250 * 2 ** attempt);
    }
  }

  async #login(): Promise<string> {
    if (this.#token !== undefined && this.#token.until > performance.now()) return this.#token.value;
    let shown = '';
    const response = await askWithEach(this.#secret, (secret) => {
      shown = secret;
      return this.#show(secret);
    });
    if (response.status === 401) {
      throw new DelosError('ERR_UNAUTHENTICATED', `Keycloak refuses the client ${this.#settings.clientId}`, {
        hint: 'its secret is not the one that this database of Keycloak has',
      });
    }
    if (!response.ok) throw new Error(`${response.status} ${(await response.text()).slice(0, 200)}`);
    const { access_token: value, expires_in: seconds } = tokenAnswer.parse(await response.json());
    this.#token = { value, until: performance.now() + seconds * 1000 - TOKEN_MARGIN_MS };
    this.#taken = shown;
    return value;
  }

  #show(secret: string): Promise<Response> {
    const { url, clientId } = this.#settings;
    return fetch(`${url}/realms/master/protocol/openid-connect/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: secret }),
      signal: AbortSignal.timeout(REQUEST_MS),
    });
  }
}

async function accepted(response: Response, method: string, path: string): Promise<Response> {
  if (response.ok) return response;
  throw new DelosError(
    'ERR_REQUEST',
    `Keycloak: ${method} ${path}: ${response.status} ${(await response.text()).slice(0, 300)}`,
  );
}

function failed(method: string, path: string, cause: unknown): DelosError {
  if (cause instanceof DelosError) return cause;
  return new DelosError('ERR_TIMEOUT', `Keycloak: ${method} ${path}: ${reasonOf(cause)}, ${ATTEMPTS} times`, {
    hint: '`delos logs keycloak` tells why',
    cause,
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error ? cause.message : error.message;
}
