import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import type { LiveSecret } from '../../live-secret.ts';

/** A line of a container, as it goes to where logs can be searched. */
export interface SearchLine {
  /** RFC 3339 with nanoseconds, as the runtime wrote it. */
  readonly time: string;
  readonly text: string;
  readonly output: 'stdout' | 'stderr';
  /** Says whose line it is; the same object for all lines of a container. */
  readonly labels: LineLabels;
}

/** What each line says of where it comes from. */
export interface LineLabels {
  readonly node: string;
  readonly namespace: string;
  readonly pod: string;
  readonly pod_uid: string;
  readonly container: string;
  /** Of the platform: the service. */
  readonly service?: string;
  /** Of a job: its id, and whose it is. */
  readonly job?: string;
  readonly organization?: string;
  readonly project?: string;
  readonly user?: string;
}

/** Labels that tell the streams of a store apart: few, and none of them grows without end. */
export const STREAM_LABELS = ['node', 'namespace', 'pod', 'container'] as const;

/** Where lines are sent to. */
export interface LogSink {
  readonly name: string;
  /**
   * Sends lines. What it took may be sent again: see `recall`.
   * @returns what it refuses for good, such as lines that are too old for it
   * @throws Error where it may take them later
   */
  send(lines: readonly SearchLine[]): Promise<Refusal | undefined>;
  /** Of a store that keeps equal lines twice. Without it the store knows equal lines, and all may be sent again. */
  readonly recall?: Recall;
}

export interface Refusal {
  readonly lines: number;
  /** In the store's own words. */
  readonly why: string;
}

/** What a store can tell of what it has. */
export interface Recall {
  /** Which process of the store answers: another one after a restart, which may not have what was taken last. */
  incarnation(): Promise<string>;
  /** Afterwards the next two tell of all that was taken. */
  settle(): Promise<void>;
  /** Time of the newest line of a container. */
  newest(labels: LineLabels): Promise<string | undefined>;
  /** Those of the lines that it does not have. */
  lacking(lines: readonly SearchLine[]): Promise<readonly SearchLine[]>;
}

export interface SinkAddress {
  /** No slash at its end. A query is kept. */
  readonly url: string;
  readonly user?: string | undefined;
  /** Password of the user; without a user, a token that is sent as `Bearer`. */
  readonly secret?: LiveSecret | undefined;
}

/** A store answered with a status that is no success. */
export class StoreAnswer extends Error {
  readonly status: number;
  constructor(status: number, text: string) {
    super(`it answered ${status}: ${text.slice(0, 200)}`);
    this.status = status;
  }
}

const TIMEOUT_MS = 30_000;

interface Question {
  readonly type?: string;
  readonly query?: Readonly<Record<string, string>>;
}

/** One request to a store: a GET where there is no body. @throws StoreAnswer unless it answers with a status of 200 to 299 */
export async function ask(address: SinkAddress, path: string, question: Question = {}, body?: string): Promise<string> {
  const url = new URL(address.url);
  url.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
  for (const [name, value] of Object.entries(question.query ?? {})) url.searchParams.set(name, value);
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const send = url.protocol === 'https:' ? https.request : http.request;
    const request = send(url, {
      method: body === undefined ? 'GET' : 'POST',
      timeout: TIMEOUT_MS,
      headers: {
        ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
        ...(question.type === undefined ? {} : { 'content-type': question.type }),
        ...authorizationOf(address),
      },
    });
    request.once('response', resolve);
    request.once('error', reject);
    request.once('timeout', () => request.destroy(new Error('it did not answer in time')));
    request.end(body);
  });
  const answer = await text(response);
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 299) throw new StoreAnswer(status, answer);
  return answer;
}

function authorizationOf({ user, secret }: SinkAddress): { readonly authorization?: string } {
  if (secret === undefined) return {};
  const text = secret.current();
  return {
    authorization: user === undefined ? `Bearer ${text}` : `Basic ${Buffer.from(`${user}:${text}`).toString('base64')}`,
  };
}
