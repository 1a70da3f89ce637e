import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { constants, gzip, gzipSync } from 'node:zlib';
import { type JobFacts, jobFacts, type LogPosition, logPosition } from '@delos/core';
import { type LiveSecret, liveOf } from '../live-secret.ts';

export interface UploadKey {
  readonly jobId: string;
  readonly podUid: string;
  readonly attempt: number;
}

export interface Packed {
  readonly length: number;
  readonly gzip: Buffer;
  readonly cursor: string;
  /** Bytes before these that were passed over, the log being over its limit. @default 0 */
  readonly skipped?: number;
  /** Further bytes before these were lost on the node. @default false */
  readonly lost?: boolean;
  /** How many these were, where that is known. */
  readonly missing?: number;
}

/** `unknown`: the control plane has no such job or Pod. */
export type Answer = { readonly accepted: boolean; readonly position: LogPosition } | 'unknown';

const TIMEOUT_MS = 30_000;
const SMALL_BYTES = 16 * 1024;
const pack = promisify(gzip);
const LEVEL = { level: constants.Z_BEST_SPEED };

export async function packBytes(bytes: Buffer, cursor: string): Promise<Packed> {
  // A small piece is on somebody's screen soon: no trip through the thread pool.
  const packed = bytes.length <= SMALL_BYTES ? gzipSync(bytes, LEVEL) : await pack(bytes, LEVEL);
  return { length: bytes.length, gzip: packed, cursor };
}

/** The log half of the agent protocol, from the collector's side. Throws where the control plane does not answer. */
export class Uploader {
  readonly #base: string;
  readonly #token: LiveSecret;
  readonly #agent: http.Agent;

  readonly #taken: (bytes: number) => void;

  /**
   * @param base of the agents' endpoints, http or https; no trailing slash
   * @param taken told how many bytes of a log were taken
   */
  constructor(base: string, token: string | LiveSecret, taken: (bytes: number) => void = () => undefined) {
    this.#base = `${base}/logs`;
    const options = { keepAlive: true, maxSockets: 16, scheduling: 'lifo' } as const;
    this.#agent = base.startsWith('https:') ? new https.Agent(options) : new http.Agent(options);
    this.#token = liveOf(token);
    this.#taken = taken;
  }

  position(key: UploadKey): Promise<Answer> {
    return this.#request('GET', key, {});
  }

  async append(key: UploadKey, offset: number, packed: Packed): Promise<Answer> {
    const { gzip: body, length, cursor, skipped = 0, lost = false, missing } = packed;
    const gaps = {
      ...(skipped > 0 ? { skipped: String(skipped) } : {}),
      ...(lost ? { lost: 'true' } : {}),
      ...(missing === undefined ? {} : { missing: String(missing) }),
    };
    const answer = await this.#request('POST', key, { offset: String(offset), cursor, ...gaps }, body);
    if (answer !== 'unknown' && answer.accepted) this.#taken(length);
    return answer;
  }

  /** @param end `missing`: bytes that are known to be missing at the end */
  finish(
    key: UploadKey,
    offset: number,
    end: { readonly complete: boolean; readonly missing: number },
  ): Promise<Answer> {
    return this.#request(
      'POST',
      key,
      { offset: String(offset), final: 'true', complete: String(end.complete), missing: String(end.missing) },
      Buffer.alloc(0),
    );
  }

  /** Undefined where the control plane has no such job. */
  async facts(jobId: string): Promise<JobFacts | undefined> {
    const { status, answer } = await this.#ask('GET', new URL(`${this.#base}/${jobId}/facts`));
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(`the control plane answered ${status}: ${answer.slice(0, 200)}`);
    return jobFacts.parse(JSON.parse(answer));
  }

  close(): void {
    this.#agent.destroy();
  }

  async #request(
    method: string,
    key: UploadKey,
    query: Readonly<Record<string, string>>,
    body?: Buffer,
  ): Promise<Answer> {
    const url = new URL(`${this.#base}/${key.jobId}`);
    const all = { pod: key.podUid, attempt: String(key.attempt), ...query };
    for (const [name, value] of Object.entries(all)) url.searchParams.set(name, value);
    const { status, answer } = await this.#ask(method, url, body);
    if (status === 404) return 'unknown';
    if (status !== 200 && status !== 409) {
      throw new Error(`the control plane answered ${status}: ${answer.slice(0, 200)}`);
    }
    return { accepted: status === 200, position: logPosition.parse(JSON.parse(answer)) };
  }

  async #ask(method: string, url: URL, body?: Buffer): Promise<{ readonly status: number; readonly answer: string }> {
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const request = (url.protocol === 'https:' ? https : http).request(url, {
        method,
        agent: this.#agent,
        timeout: TIMEOUT_MS,
        headers: {
          authorization: `Bearer ${this.#token.current()}`,
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/octet-stream', 'content-length': String(body.length) }),
        },
      });
      request.once('response', resolve);
      request.once('error', reject);
      request.once('timeout', () => request.destroy(new Error('the control plane did not answer in time')));
      request.end(body);
    });
    return { status: response.statusCode ?? 0, answer: await text(response) };
  }
}
