import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { DelosError } from '@delos/core';
import { Agent, request } from 'undici';
import { type Digest, hexOf } from '../format/digest.ts';
import type { Item } from '../format/index-schema.ts';
import type { OpenBundle } from '../read/open.ts';
import type { Registry } from '../registry/client.ts';
import type { Login } from '../registry/login.ts';
import { spansOf } from './import-plan.ts';
import { PackFiles } from './pack-files.ts';
import { placesOf } from './place.ts';

/*
 * What a site's other services get of a bundle: wheels go to an index of packages as twine sends them, charts to a repository as `helm cm-push`
 * does. Both say what they have, so that whoever was killed sends the rest.
 */

/** A service of the site that takes files. */
export interface SiteService {
  /** With a slash at its end. */
  readonly url: string;
  readonly login: Login;
  /** Who has signed its certificate, in PEM. */
  readonly authority?: string;
}

export interface ServiceOptions {
  /** Has what a delta does not carry, by an earlier import. */
  readonly registry: Registry;
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number, of: number, name: string) => void;
}

/** A service hashes and stores what it got before it answers. */
const ANSWER_LIMIT_MS = 300_000;
const MOST_PAGE_BYTES = 16 * 2 ** 20;

/** Sends the wheels that an index of packages lacks. @returns how many were sent @throws DelosError ERR_BUNDLE_IMPORT */
export async function sendWheels(bundle: OpenBundle, service: SiteService, options: ServiceOptions): Promise<number> {
  const known = new Map<string, string>();
  return sendEach(bundle, 'wheel', service, options, async (client, item, file) => {
    const [distribution = '', version = ''] = item.name.split('-');
    const project = distribution.replace(/[-_.]+/g, '-').toLowerCase();
    const page = known.get(project) ?? (await client.text(`+simple/${project}/`));
    known.set(project, page);
    if (page.includes(`sha256=${hexOf(file.digest)}`)) return false;
    const fields = {
      ':action': 'file_upload',
      protocol_version: '1',
      metadata_version: '2.1',
      name: distribution,
      version,
      filetype: 'bdist_wheel',
      pyversion: item.name.split('-').at(-3) ?? '',
      sha256_digest: hexOf(file.digest),
    };
    await client.form('', fields, { field: 'content', name: item.name, ...file });
    return true;
  });
}

/** Sends the charts that a repository lacks. @returns how many were sent @throws DelosError ERR_BUNDLE_IMPORT */
export async function sendCharts(bundle: OpenBundle, service: SiteService, options: ServiceOptions): Promise<number> {
  return sendEach(bundle, 'chart', service, options, (client, item, file) => client.chart(item.name, file));
}

interface Sent {
  readonly digest: Digest;
  readonly size: number;
  readonly bytes: () => AsyncIterable<Buffer>;
}

async function sendEach(
  bundle: OpenBundle,
  kind: Item['kind'],
  service: SiteService,
  options: ServiceOptions,
  send: (client: ServiceClient, item: Item, file: Sent) => Promise<boolean>,
): Promise<number> {
  const { index } = bundle;
  const items = index.items.filter((item) => item.kind === kind);
  const spans = spansOf(index);
  const sizes = new Map([...index.blobs, ...index.base].map(({ digest, size }) => [digest, size]));
  const packs = new PackFiles(bundle.folder);
  const client = new ServiceClient(service, options.signal);
  let sent = 0;
  try {
    for (const [nth, item] of items.entries()) {
      options.signal.throwIfAborted();
      options.onProgress?.(nth + 1, items.length, item.name);
      const digest = item.parts.at(-1);
      if (digest === undefined) continue;
      const own = spans.get(digest);
      const bytes = (): AsyncIterable<Buffer> =>
        own === undefined ? atSite(options.registry, item, digest) : packs.read(own, 0, Number.MAX_SAFE_INTEGER);
      if (await send(client, item, { digest, size: sizes.get(digest) ?? 0, bytes })) sent += 1;
    }
    return sent;
  } finally {
    await client.close();
    await packs.close();
  }
}

/** A file that an earlier import has brought to the registry. */
async function* atSite(registry: Registry, item: Item, digest: Digest): AsyncGenerator<Buffer> {
  const [{ repository }] = placesOf(item);
  const bytes = await registry.readBlob(repository, digest);
  if (bytes === undefined) {
    throw new DelosError('ERR_BUNDLE_IMPORT', `${item.name} is no longer in ${repository} of the registry`, {
      hint: 'import the bundle that has it again',
    });
  }
  yield* bytes;
}

class ServiceClient {
  readonly #service: SiteService;
  readonly #signal: AbortSignal;
  readonly #agent: Agent;

  constructor(service: SiteService, signal: AbortSignal) {
    this.#service = service;
    this.#signal = signal;
    this.#agent = new Agent({
      headersTimeout: ANSWER_LIMIT_MS,
      bodyTimeout: ANSWER_LIMIT_MS,
      ...(service.authority === undefined ? {} : { connect: { ca: service.authority } }),
    });
  }

  /** A page; empty where there is none. */
  async text(path: string): Promise<string> {
    const { status, text } = await this.#ask('GET', path, {});
    if (status === 404) return '';
    if (status !== 200) throw this.#refused(`looking at ${path}`, status, text);
    return text;
  }

  async form(
    path: string,
    fields: Readonly<Record<string, string>>,
    file: Sent & { readonly field: string; readonly name: string },
  ): Promise<void> {
    const boundary = randomBytes(16).toString('hex');
    const head = Buffer.from(
      [
        ...Object.entries(fields).map(
          ([name, value]) => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
        ),
        `--${boundary}\r\ncontent-disposition: form-data; name="${file.field}"; filename="${file.name}"\r\n`,
        'content-type: application/octet-stream\r\n\r\n',
      ].join(''),
    );
    const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
    async function* body(): AsyncGenerator<Buffer> {
      yield head;
      yield* file.bytes();
      yield tail;
    }
    const headers = {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(head.length + file.size + tail.length),
    };
    const { status, text } = await this.#ask('POST', path, { headers, body: body() });
    if (status !== 200) throw this.#refused(`taking ${file.name}`, status, text);
  }

  /** @returns whether it was not there */
  async chart(name: string, file: Sent): Promise<boolean> {
    const headers = { 'content-type': 'application/gzip', 'content-length': String(file.size) };
    const { status, text } = await this.#ask('POST', 'api/charts', { headers, body: file.bytes() });
    // What is there under that version stays.
    if (status === 409) return false;
    if (status !== 201) throw this.#refused(`taking ${name}`, status, text);
    return true;
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #ask(
    method: 'GET' | 'POST',
    path: string,
    more: { readonly headers?: Readonly<Record<string, string>>; readonly body?: AsyncIterable<Buffer> },
  ): Promise<{ readonly status: number; readonly text: string }> {
    const { url, login } = this.#service;
    const authorization = `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`;
    try {
      const answer = await request(`${url}${path}`, {
        method,
        dispatcher: this.#agent,
        signal: this.#signal,
        headers: { ...more.headers, authorization },
        ...(more.body === undefined ? {} : { body: Readable.from(more.body, { objectMode: false }) }),
      });
      const pieces: Buffer[] = [];
      let bytes = 0;
      for await (const piece of answer.body as AsyncIterable<Buffer>) {
        bytes += piece.length;
        if (bytes > MOST_PAGE_BYTES)
          throw this.#refused(`answering to ${path} in so many bytes`, answer.statusCode, '');
        pieces.push(piece);
      }
      return { status: answer.statusCode, text: Buffer.concat(pieces).toString('utf8') };
    } catch (cause) {
      if (this.#signal.aborted || cause instanceof DelosError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new DelosError('ERR_BUNDLE_IMPORT', `${url} does not answer: ${reason}`, {
        hint: 'see that it runs; the same command goes on where this one stopped',
        cause,
      });
    }
  }

  #refused(what: string, status: number, text: string): DelosError {
    const said = text.replace(/\s+/g, ' ').trim().slice(0, 200);
    return new DelosError(
      'ERR_BUNDLE_IMPORT',
      `${this.#service.url} answers ${status} to ${what}${said === '' ? '' : `: ${said}`}`,
      {
        hint: 'look at its log and at the space on its disk; the same command goes on where this one stopped',
        data: { status },
      },
    );
  }
}
