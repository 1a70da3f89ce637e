import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import { guard } from '../edge/guard.ts';
import { HEADERS_MS, MAX_HEADER_BYTES } from '../edge/server-limits.ts';
import { ProxyError, refusal, type SiteProxyClient } from './site-proxy.ts';
import { refusedToJobs, tryTarget } from './target.ts';

/** Bounds of each of the two ports. */
export const EGRESS_LIMITS = {
  /** Connections at once. More are closed as they come. */
  connections: 512,
  /** A connection on which nothing moves for so long is closed, in milliseconds. */
  silenceMs: 600_000,
} as const;

/** How a request ended. `away`: the site's proxy did not answer, or did not let us in. */
export type Outcome = 'passed' | 'refused' | 'proxy-refused' | 'away';

export interface FrontProps {
  readonly proxy: SiteProxyClient;
  /** Whose port it is. Jobs may go to names and addresses of the outside alone. */
  readonly of: 'platform' | 'jobs';
  readonly told: (outcome: Outcome, facts: { readonly to: string; readonly why?: string }) => void;
}

/** Of one connection, and for the next hop alone (RFC 9110, 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** A proxy that hands each request to the site's proxy, with its login. */
export function egressFront({ proxy, of, told }: FrontProps): Server {
  const refused = (target: Parameters<typeof refusedToJobs>[0]): string | undefined =>
    of === 'jobs' ? refusedToJobs(target) : undefined;

  async function connect(request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    const to = request.url ?? '';
    client.on('error', () => client.destroy());
    const target = tryTarget(to);
    const why = target === undefined ? 'expected HOST:PORT' : refused(target);
    if (why !== undefined) {
      told('refused', { to, why });
      end(client, 403, `${to}: ${why}`);
      return;
    }
    let upstream: Awaited<ReturnType<SiteProxyClient['connect']>>;
    try {
      upstream = await proxy.connect(to);
    } catch (error) {
      end(client, 502, tell(error, to));
      return;
    }
    told('passed', { to });
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    if (upstream.head.length > 0) client.write(upstream.head);
    if (head.length > 0) upstream.socket.write(head);
    join(client, upstream.socket);
  }

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = URL.parse(request.url ?? '');
    if (url === null || url.protocol !== 'http:' || url.username !== '') {
      told('refused', { to: '', why: 'not a request for an http:// URL' });
      answer(response, 400, 'this is a proxy: expected a request for an http:// URL, or CONNECT');
      return;
    }
    const to = `${url.hostname}:${url.port === '' ? 80 : url.port}`;
    const why = refused({ host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) });
    if (why !== undefined) {
      told('refused', { to, why });
      answer(response, 403, `${to}: ${why}`);
      return;
    }
    const asked = await proxy.request(request.method ?? 'GET', url.href, {
      ...passedOn(request.headers),
      host: url.host,
      connection: 'close',
    });
    asked.setTimeout(EGRESS_LIMITS.silenceMs, () => asked.destroy(new Error('nothing moves')));
    asked.once('error', (error) => {
      if (response.headersSent) response.destroy();
      else answer(response, 502, tell(new ProxyError('away', `the proxy does not answer: ${error.message}`), to));
    });
    asked.once('response', (answered) => {
      if (answered.statusCode === 407) {
        answered.resume();
        answer(response, 502, tell(refusal(answered), to));
        return;
      }
      told('passed', { to });
      response.writeHead(answered.statusCode ?? 502, passedOn(answered.headers));
      answered.on('error', () => response.destroy());
      answered.pipe(response);
    });
    response.once('close', () => asked.destroy());
    request.pipe(asked);
  }

  /** Counts a failure. @returns what the client is told */
  function tell(error: unknown, to: string): string {
    const known = error instanceof ProxyError ? error : new ProxyError('away', String(error));
    told(known.kind === 'away' ? 'away' : 'proxy-refused', { to, why: known.message });
    return known.message;
  }

  const server = createServer(
    { headersTimeout: HEADERS_MS, maxHeaderSize: MAX_HEADER_BYTES, requestTimeout: 0 },
    guard(pass, (error, _request, response) => {
      if (response.headersSent) response.destroy();
      else answer(response, 502, tell(error, ''));
    }),
  );
  server.on(
    'connect',
    guard(connect, (_error, _request, client) => client.destroy()),
  );
  server.on('clientError', (_error, socket) => socket.destroy());
  server.setTimeout(EGRESS_LIMITS.silenceMs);
  server.maxConnections = EGRESS_LIMITS.connections;
  return server;
}

function passedOn(headers: IncomingMessage['headers']): OutgoingHttpHeaders {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name) && !named.includes(name)));
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(`${text}\n`);
}

function end(client: Duplex, status: number, text: string): void {
  const body = `${text}\n`;
  client.end(
    `HTTP/1.1 ${status} ${status === 403 ? 'Forbidden' : 'Bad Gateway'}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** Passes bytes both ways, at the pace of the slower end, until both have ended. */
function join(a: Duplex, b: Duplex): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.on('error', () => {
      from.destroy();
      to.destroy();
    });
    from.once('close', () => {
      // What was sent before still arrives.
      if (!to.writableFinished) to.end();
      setTimeout(() => to.destroy(), 5_000).unref();
    });
    from.pipe(to);
  }
}
