import { Agent, request } from 'node:http';

/** What is asked. */
export interface Ask {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface Loaded {
  /** All of them, those that warmed it up included. */
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Milliseconds from the request to the last byte of its answer. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const WARM_SECONDS = 1;

/**
 * So many connections that are kept, each of which asks again as soon as it has its answer.
 * @param ask the nth request
 * @throws Error for an answer that is none of success
 */
export async function load(
  url: string,
  { connections, seconds }: { readonly connections: number; readonly seconds: number },
  ask: (nth: number) => Ask,
): Promise<Loaded> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const times: number[] = [];
  let nth = 0;
  const from = performance.now() + WARM_SECONDS * 1000;
  const end = from + seconds * 1000;
  try {
    await Promise.all(
      Array.from({ length: connections }, async () => {
        for (;;) {
          const began = performance.now();
          if (began >= end) return;
          await once(url, agent, ask(nth++));
          if (began >= from) times.push(performance.now() - began);
        }
      }),
    );
  } finally {
    agent.destroy();
  }
  const elapsed = (performance.now() - from) / 1000;
  times.sort((a, b) => a - b);
  return {
    requests: nth,
    requestsPerSecond: rounded(times.length / elapsed),
    p50Ms: rounded(quantile(times, 0.5)),
    p99Ms: rounded(quantile(times, 0.99)),
  };
}

/** Of sorted samples. */
export const quantile = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;

const rounded = (value: number): number => Math.round(value * 10) / 10;

export function once(url: string, agent: Agent, { method, path, headers, body }: Ask): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const sent = request(`${url}${path}`, { method, agent, headers: { ...headers, ...length } }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.once('error', reject);
      response.once('end', () => {
        const text = Buffer.concat(parts);
        const { statusCode = 0 } = response;
        if (statusCode < 400) resolve(text);
        else reject(new Error(`${method} ${path}: ${statusCode} ${text.toString('utf8', 0, 300)}`));
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
