import { setTimeout as delay } from 'node:timers/promises';
import { DelosError } from '@delos/core';
import { Agent, type Dispatcher, request } from 'undici';
import { type Digest, isDigest } from '../format/digest.ts';
import { MOST_MANIFEST_BYTES } from '../format/index-schema.ts';
import { MANIFEST_TYPES } from '../format/manifest.ts';
import { authorization, type Login } from './login.ts';

/*
 * A client of the distribution specification, https://github.com/opencontainers/distribution-spec/blob/main/spec.md, for one
 * registry: what is there, uploads that go on where they were, mounts and manifests. Blobs are streamed, never held.
 */

export interface RegistryOptions {
  /** `https://HOST[:PORT]`, or http where it is on loopback or said so. */
  readonly url: string;
  readonly login?: Login;
  /** Authorities in PEM that it is trusted by, beside those of Node. */
  readonly authority?: string;
}

const ACCEPT = MANIFEST_TYPES.join(', ');
/** A registry that hashes what it has stored answers late. */
const ANSWER_LIMIT_MS = 600_000;
/** Requests that change nothing are asked again. */
const TRIES = 4;

interface Ask {
  /** Of a stream: what makes it, since it is made anew where a token has ended meanwhile. */
  readonly body?: Buffer | (() => AsyncIterable<Buffer>);
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

type Answer = Dispatcher.ResponseData<unknown>;

export class Registry {
  readonly url: string;
  readonly #login: Login | undefined;
  readonly #agent: Agent;
  readonly #tokens = new Map<string, string>();

  constructor({ url, login, authority }: RegistryOptions) {
    this.url = url.replace(/\/+$/, '');
    this.#login = login;
    this.#agent = new Agent({
      headersTimeout: ANSWER_LIMIT_MS,
      bodyTimeout: ANSWER_LIMIT_MS,
      ...(authority === undefined ? {} : { connect: { ca: authority } }),
    });
  }

  /** Size of a blob that is there; undefined where it is not. */
  async tryBlob(repository: string, digest: Digest, signal?: AbortSignal): Promise<number | undefined> {
    const answer = await this.#look('HEAD', repository, `blobs/${digest}`, signal);
    await answer.body.dump();
    if (answer.statusCode === 404) return undefined;
    if (answer.statusCode !== 200) throw this.#refused('looking for a blob', repository, answer.statusCode);
    return Number(answer.headers['content-length'] ?? 0);
  }

  /** The bytes of a blob; undefined where it is not there. */
  async readBlob(repository: string, digest: Digest, signal?: AbortSignal): Promise<AsyncIterable<Buffer> | undefined> {
    const answer = await this.#look('GET', repository, `blobs/${digest}`, signal);
    if (answer.statusCode === 200) return answer.body as AsyncIterable<Buffer>;
    await answer.body.dump();
    if (answer.statusCode === 404) return undefined;
    throw this.#refused('reading a blob', repository, answer.statusCode);
  }

  /** Digest of the manifest that a tag or digest leads to; undefined where there is none. */
  async tryManifest(repository: string, reference: string, signal?: AbortSignal): Promise<Digest | undefined> {
    const answer = await this.#look('HEAD', repository, `manifests/${reference}`, signal);
    await answer.body.dump();
    if (answer.statusCode === 404) return undefined;
    if (answer.statusCode !== 200) throw this.#refused('looking for a manifest', repository, answer.statusCode);
    const digest = String(answer.headers['docker-content-digest'] ?? '');
    return isDigest(digest) ? digest : undefined;
  }

  /** The bytes of a manifest, at most {@link MOST_MANIFEST_BYTES}; undefined where it is not there. */
  async readManifest(repository: string, digest: Digest, signal?: AbortSignal): Promise<Buffer | undefined> {
    const answer = await this.#look('GET', repository, `manifests/${digest}`, signal);
    if (answer.statusCode !== 200) {
      await answer.body.dump();
      if (answer.statusCode === 404) return undefined;
      throw this.#refused('reading a manifest', repository, answer.statusCode);
    }
    const pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of answer.body as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > MOST_MANIFEST_BYTES) throw this.#refused('reading a manifest, too long for one,', repository, 200);
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  }

  async putManifest(
    repository: string,
    reference: string,
    mediaType: string,
    bytes: Buffer,
    signal?: AbortSignal,
  ): Promise<void> {
    const answer = await this.#ask('PUT', repository, `${this.url}/v2/${repository}/manifests/${reference}`, {
      body: bytes,
      headers: { 'content-type': mediaType },
      signal,
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 201)
      throw this.#refused(`storing the manifest ${reference}`, repository, answer.statusCode, text);
  }

  /** @returns whether it was there */
  async deleteManifest(repository: string, digest: Digest, signal?: AbortSignal): Promise<boolean> {
    const answer = await this.#ask('DELETE', repository, `${this.url}/v2/${repository}/manifests/${digest}`, {
      signal,
    });
    const text = await answer.body.text();
    if (answer.statusCode === 202) return true;
    if (answer.statusCode === 404) return false;
    throw this.#refused(`removing the manifest ${digest}`, repository, answer.statusCode, text);
  }

  /** Takes a blob over from another repository of the same registry. @returns whether it did */
  async mount(repository: string, digest: Digest, from: string, signal?: AbortSignal): Promise<boolean> {
    const path = `${this.url}/v2/${repository}/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from)}`;
    const answer = await this.#ask('POST', repository, path, { signal }, from);
    const text = await answer.body.text();
    if (answer.statusCode === 201) return true;
    if (answer.statusCode !== 202) throw this.#refused('taking a blob over', repository, answer.statusCode, text);
    await this.cancel(repository, this.#location(answer));
    return false;
  }

  /** @returns where the upload goes on */
  async beginUpload(repository: string, signal?: AbortSignal): Promise<string> {
    const answer = await this.#ask('POST', repository, `${this.url}/v2/${repository}/blobs/uploads/`, { signal });
    const text = await answer.body.text();
    if (answer.statusCode !== 202) throw this.#refused('beginning an upload', repository, answer.statusCode, text);
    return this.#location(answer);
  }

  /** How many bytes of an upload are there; undefined for one that is no more. */
  async tryUpload(
    repository: string,
    location: string,
    signal?: AbortSignal,
  ): Promise<{ readonly bytes: number; readonly location: string } | undefined> {
    const answer = await this.#ask('GET', repository, location, { signal });
    await answer.body.dump();
    if (answer.statusCode !== 204) return undefined;
    const last = /^(?:bytes=)?0-(\d+)$/.exec(String(answer.headers.range ?? ''))?.[1];
    // Nothing yet is told as 0-0, as one byte is: then it begins anew.
    if (last === undefined || last === '0') return undefined;
    return { bytes: Number(last) + 1, location: this.#location(answer) };
  }

  /** Sends bytes to an upload. @returns where it goes on */
  async send(
    repository: string,
    location: string,
    start: number,
    length: number,
    bytes: () => AsyncIterable<Buffer>,
    signal?: AbortSignal,
  ): Promise<string> {
    const answer = await this.#ask('PATCH', repository, location, {
      body: bytes,
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(length),
        'content-range': `${start}-${start + length - 1}`,
      },
      signal,
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 202) throw this.#refused('sending a blob', repository, answer.statusCode, text);
    return this.#location(answer);
  }

  /**
   * Ends an upload: the registry compares what it has with the digest.
   * @param whole of an upload that has nothing yet: the blob, which a registry then writes down once
   */
  async endUpload(
    repository: string,
    location: string,
    digest: Digest,
    signal?: AbortSignal,
    whole?: { readonly length: number; readonly bytes: () => AsyncIterable<Buffer> },
  ): Promise<void> {
    const path = `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`;
    const answer = await this.#ask('PUT', repository, path, {
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(whole?.length ?? 0) },
      ...(whole === undefined ? {} : { body: whole.bytes }),
      signal,
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 201)
      throw this.#refused(`storing the blob ${digest}`, repository, answer.statusCode, text);
  }

  async cancel(repository: string, location: string): Promise<void> {
    await (await this.#ask('DELETE', repository, location, {})).body.dump();
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #look(
    method: 'GET' | 'HEAD',
    repository: string,
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    for (let tried = 1; ; tried += 1) {
      try {
        const answer = await this.#ask(method, repository, `${this.url}/v2/${repository}/${path}`, {
          headers: { accept: ACCEPT },
          signal,
        });
        if (answer.statusCode < 500 || tried === TRIES) return answer;
        await answer.body.dump();
      } catch (error) {
        if (tried === TRIES || signal?.aborted === true) throw error;
      }
      await delay(200 * 2 ** tried, undefined, signal === undefined ? {} : { signal });
    }
  }

  async #ask(
    method: Dispatcher.HttpMethod,
    repository: string,
    url: string,
    ask: Ask,
    alsoFrom?: string,
  ): Promise<Answer> {
    const scope = [
      ...(alsoFrom === undefined ? [] : [`repository:${alsoFrom}:pull`]),
      `repository:${repository}:pull,push${method === 'DELETE' ? ',delete' : ''}`,
    ];
    const key = scope.join(' ');
    const once = async (): Promise<Answer> => {
      const known = this.#tokens.get(key);
      try {
        return await request(url, {
          method,
          dispatcher: this.#agent,
          ...(ask.body === undefined ? {} : { body: typeof ask.body === 'function' ? ask.body() : ask.body }),
          headers: { ...ask.headers, ...(known === undefined ? {} : { authorization: known }) },
          ...(ask.signal === undefined ? {} : { signal: ask.signal }),
        } as Parameters<typeof request>[1]);
      } catch (cause) {
        if (ask.signal?.aborted === true) throw cause;
        throw new DelosError('ERR_BUNDLE_IMPORT', `the registry ${this.url} does not answer: ${reasonOf(cause)}`, {
          hint: 'see that it runs; the same command goes on where this one stopped',
          cause,
        });
      }
    };
    const first = await once();
    if (first.statusCode !== 401) return first;
    await first.body.dump();
    this.#tokens.set(
      key,
      await authorization(String(first.headers['www-authenticate'] ?? ''), scope, this.#login, this.#agent),
    );
    return once();
  }

  #location(answer: Answer): string {
    const found = answer.headers.location;
    if (typeof found !== 'string')
      throw new DelosError('ERR_BUNDLE_IMPORT', `the registry ${this.url} does not say where an upload goes on`);
    return new URL(found, `${this.url}/`).href;
  }

  #refused(what: string, repository: string, status: number, text = ''): DelosError {
    const said = /"message":"([^"]{1,200})"/.exec(text)?.[1] ?? '';
    const hint =
      status === 401 || status === 403
        ? 'give a login that may write: --user NAME --password-file FILE'
        : 'look at its log and at the space on its disk; the same command goes on where this one stopped';
    return new DelosError(
      'ERR_BUNDLE_IMPORT',
      `the registry ${this.url} answers ${status} to ${what} in ${repository}${said === '' ? '' : `: ${said}`}`,
      { hint, data: { status, repository } },
    );
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.message === '' && 'code' in cause ? String(cause.code) : cause.message;
}
