import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { AwsV4Signer } from 'aws4fetch';

/** A bucket, and what its client signs with. */
export interface BucketSettings {
  /** `http://HOST:PORT`, to which bucket and key are appended. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKey: string;
  /** File of the access key's secret. Read for each request, so that it may change. */
  readonly secretFile: string;
  /** File of the server's certificate authority, PEM. @default a public one */
  readonly authorityFile?: string;
}

export interface ListedObject {
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly changedAt: number;
}

/** Objects of one bucket. */
export interface Bucket {
  /** Writes an object whole, over one that is there. @throws Error where the storage does not say that it has it */
  put(key: string, bytes: Buffer): Promise<void>;
  /** Undefined where there is none. @throws Error where the storage does not answer, or with more than `most` bytes */
  get(key: string, most: number): Promise<Buffer | undefined>;
  /**
   * A page of what is there, in the order of keys.
   * @param from the `next` of the page before
   * @returns no `next` where it is the last one
   */
  list(
    from: string | undefined,
    most: number,
  ): Promise<{ readonly objects: readonly ListedObject[]; readonly next: string | undefined }>;
  /** Removes an object; one that is not there is removed. @throws Error */
  remove(key: string): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

const TIMEOUT_MS = 20_000;
/** A reader waits so long for a storage that is away for a moment: it is restarted, or turns requests away. */
const GET_RETRY_MS = [200, 500, 1_000, 2_000, 4_000];
/** Of a list of a thousand keys, each at its longest. */
const PAGE_BYTES = 4 * 2 ** 20;
/** Of an answer that is an error. */
const ERROR_BYTES = 64 * 1024;

/**
 * A bucket by S3's protocol, with path-style addresses and Signature Version 4.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export class ObjectBucket implements Bucket {
  readonly #settings: BucketSettings;
  readonly #authority: string | undefined;
  readonly #agent: http.Agent;

  private constructor(settings: BucketSettings, authority: string | undefined) {
    this.#settings = settings;
    this.#authority = authority;
    const options = { keepAlive: true, maxSockets: 16 };
    this.#agent = settings.endpoint.startsWith('https:') ? new https.Agent(options) : new http.Agent(options);
  }

  /** Asks nothing of the storage yet. @throws Error where the file of the authority cannot be read */
  static async open(settings: BucketSettings): Promise<ObjectBucket> {
    const { authorityFile } = settings;
    return new ObjectBucket(settings, authorityFile === undefined ? undefined : await readFile(authorityFile, 'utf8'));
  }

  async put(key: string, bytes: Buffer): Promise<void> {
    const answer = await this.#request('PUT', key, ERROR_BYTES, bytes);
    if (answer.status !== 200) throw refused('PUT', key, answer);
  }

  async get(key: string, most: number): Promise<Buffer | undefined> {
    for (let attempt = 0; ; attempt += 1) {
      const wait = GET_RETRY_MS[attempt];
      try {
        const answer = await this.#request('GET', key, most);
        if (answer.status === 200) return answer.body;
        if (answer.status === 404 && codeOf(answer) === 'NoSuchKey') return undefined;
        throw refused('GET', key, answer);
      } catch (error) {
        if (wait === undefined) throw error;
        await sleep(wait);
      }
    }
  }

  async remove(key: string): Promise<void> {
    const answer = await this.#request('DELETE', key, ERROR_BYTES);
    const gone = answer.status === 404 && codeOf(answer) === 'NoSuchKey';
    if (answer.status !== 204 && answer.status !== 200 && !gone) throw refused('DELETE', key, answer);
  }

  async list(
    from: string | undefined,
    most: number,
  ): Promise<{ readonly objects: readonly ListedObject[]; readonly next: string | undefined }> {
    const query = new URLSearchParams({
      'list-type': '2',
      'max-keys': String(most),
      ...(from === undefined ? {} : { 'continuation-token': from }),
    });
    const answer = await this.#request('GET', `?${query}`, PAGE_BYTES);
    if (answer.status !== 200) throw refused('GET', '?list-type=2', answer);
    const text = answer.body.toString('utf8');
    const element = (name: string, within: string): string | undefined =>
      new RegExp(`<${name}>([^<]*)</${name}>`).exec(within)?.[1];
    const objects = [...text.matchAll(/<Contents>(.*?)<\/Contents>/gs)].map(([, one = '']) => ({
      key: element('Key', one) ?? '',
      changedAt: Date.parse(element('LastModified', one) ?? ''),
    }));
    const next = element('NextContinuationToken', text)?.replaceAll('&amp;', '&');
    return { objects, next: element('IsTruncated', text) === 'true' ? next : undefined };
  }

  close(): void {
    this.#agent.destroy();
  }

  async #request(method: string, key: string, most: number, body?: Buffer): Promise<Answer> {
    const { endpoint, region, bucket, accessKey, secretFile } = this.#settings;
    const signed = await new AwsV4Signer({
      method,
      url: `${endpoint}/${bucket}${key.startsWith('?') ? '' : '/'}${key}`,
      service: 's3',
      region,
      accessKeyId: accessKey,
      secretAccessKey: (await readFile(secretFile, 'utf8')).trim(),
      headers: { 'content-type': 'application/octet-stream' },
      ...(body === undefined ? {} : { body: new Uint8Array(body) }),
    }).sign();
    const headers = Object.fromEntries(signed.headers.entries());
    return new Promise((resolve, reject) => {
      const options = {
        method,
        agent: this.#agent,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-length': String(body.length) }) },
        ...(this.#authority === undefined ? {} : { ca: this.#authority }),
      };
      const send = signed.url.protocol === 'https:' ? https.request : http.request;
      const request = send(signed.url, options);
      // Of the whole, since a storage that trickles is one that does not answer.
      const timer = setTimeout(
        () => request.destroy(new Error(`the object storage did not answer ${method} in ${TIMEOUT_MS / 1000} s`)),
        TIMEOUT_MS,
      );
      const failed = (error: Error): void => {
        clearTimeout(timer);
        reject(error);
      };
      // Each may come more than once: what is destroyed has read more already.
      request.on('error', failed);
      request.once('response', (response) => {
        const parts: Buffer[] = [];
        let size = 0;
        response.on('data', (part: Buffer) => {
          size += part.length;
          if (size > most) request.destroy(new Error(`the object storage answered with more than ${most} bytes`));
          else parts.push(part);
        });
        response.on('error', failed);
        response.once('close', () => {
          if (!response.complete) failed(new Error('the object storage cut its answer off'));
        });
        response.once('end', () => {
          clearTimeout(timer);
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts) });
        });
      });
      request.end(body);
    });
  }
}

/** S3's code of an answer that is an error. */
const codeOf = ({ body }: Answer): string => /<Code>([^<]{1,100})<\/Code>/.exec(body.toString('utf8'))?.[1] ?? '';

const refused = (method: string, key: string, answer: Answer): Error =>
  new Error(`the object storage answered ${method} ${key} with ${answer.status} ${codeOf(answer)}`);
