import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';

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
  /** Sends lines. Safe to repeat, as far as the store tells equal lines. @throws Error where it does not take them all */
  send(lines: readonly SearchLine[]): Promise<void>;
  /**
   * Time of the newest line that it has of a container, so that a collector that starts anew sends none twice. Without it
   * all that the node has is sent, and the store knows equal lines.
   */
  newest?(labels: LineLabels): Promise<string | undefined>;
}

export interface SinkAddress {
  /** No slash at its end. A query is kept. */
  readonly url: string;
  readonly user?: string | undefined;
  /** Password of the user; without a user, a token that is sent as `Bearer`. */
  readonly secret?: string | undefined;
}

const TIMEOUT_MS = 30_000;

/** One request to a store. @throws Error with what it said, unless it answers with a status of 200 to 299 */
export async function ask(
  address: SinkAddress,
  path: string,
  body: string,
  options: { readonly type: string; readonly query?: Readonly<Record<string, string>> },
): Promise<string> {
  const url = new URL(address.url);
  url.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
  for (const [name, value] of Object.entries(options.query ?? {})) url.searchParams.set(name, value);
  const { user, secret } = address;
  const authorization =
    secret === undefined
      ? {}
      : {
          authorization:
            user === undefined ? `Bearer ${secret}` : `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`,
        };
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const send = url.protocol === 'https:' ? https.request : http.request;
    const request = send(url, {
      method: 'POST',
      timeout: TIMEOUT_MS,
      headers: { 'content-type': options.type, 'content-length': Buffer.byteLength(body), ...authorization },
    });
    request.once('response', resolve);
    request.once('error', reject);
    request.once('timeout', () => request.destroy(new Error('it did not answer in time')));
    request.end(body);
  });
  const answer = await text(response);
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 299) throw new Error(`it answered ${status}: ${answer.slice(0, 200)}`);
  return answer;
}
