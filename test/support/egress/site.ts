import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttp, request as httpRequest, type IncomingMessage } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '@delos/host';
import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';
import { until } from '../until.ts';

/*
 * A site that lets nothing out but by its proxy: the proxy, which asks for a login and counts what passes; a server outside
 * with a certificate of the site's own authority, whose name the proxy alone can resolve; and the platform's way out
 * as a process of its own.
 */

/** Name of the server outside. No resolver knows it: only the proxy does. */
export const OUTSIDE = 'hooks.outside.example';
export const LOGIN = 'delos:s3cret';

export interface Passed {
  readonly method: string;
  readonly to: string;
}

export interface SiteProxy {
  readonly port: number;
  /** Requests that it let pass, in their order. */
  readonly passed: Passed[];
  /** Statuses that it answered others with. */
  readonly refused: number[];
  /** Bytes that went out and came back by CONNECT. */
  bytes: number;
  close(): void;
}

/** A forward proxy as sites have them. @param hosts host name → port of loopback that it is really at */
export async function startSiteProxy(hosts: Readonly<Record<string, number>>): Promise<SiteProxy> {
  const passed: Passed[] = [];
  const refused: number[] = [];
  const sockets = new Set<Socket>();
  const expected = `Basic ${Buffer.from(LOGIN).toString('base64')}`;
  const portOf = (host: string): number | undefined => hosts[host];
  const judge = (request: IncomingMessage, host: string): number => {
    const status = request.headers['proxy-authorization'] === expected ? (portOf(host) === undefined ? 502 : 200) : 407;
    if (status === 200) passed.push({ method: request.method ?? '', to: request.url ?? '' });
    else refused.push(status);
    return status;
  };
  const server = createHttp((request, response) => {
    const url = new URL(request.url ?? '');
    const status = judge(request, url.hostname);
    if (status !== 200) {
      response.writeHead(status).end('refused by the site');
      return;
    }
    const { 'proxy-authorization': _login, ...headers } = request.headers;
    const asked = httpRequest(
      {
        host: '127.0.0.1',
        port: portOf(url.hostname),
        method: request.method,
        path: url.pathname + url.search,
        headers,
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    asked.on('error', () => response.destroy());
    request.pipe(asked);
  });
  const result = { passed, refused, bytes: 0 };
  server.on('connect', (request, client, head) => {
    const [host = ''] = (request.url ?? '').split(':');
    client.on('error', () => client.destroy());
    const status = judge(request, host);
    if (status !== 200) {
      client.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const upstream = connect(portOf(host) ?? 0, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      client.pipe(upstream).pipe(client);
    });
    for (const side of [client, upstream]) side.on('data', (piece: Buffer) => (result.bytes += piece.length));
    upstream.on('error', () => client.destroy());
    client.on('close', () => upstream.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const port = await listening(server);
  return Object.assign(result, {
    port,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  });
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

export interface OutsideServer {
  readonly https: number;
  readonly http: number;
  /** The authority of its certificate, PEM. No public list has it. */
  readonly authority: string;
  /** Bodies of requests, by their path. */
  readonly heard: { readonly path: string; readonly body: string }[];
  close(): void;
}

/** A server outside, by https and by http. */
export async function startOutside(): Promise<OutsideServer> {
  const now = new Date();
  const ca = await certificateAuthority.createCa(now);
  const leaf = await certificateAuthority.createLeaf(ca, { dnsNames: [OUTSIDE], ipAddresses: [] }, now);
  const heard: OutsideServer['heard'] = [];
  const answer = (request: IncomingMessage, done: (text: string) => void): void => {
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      heard.push({ path: request.url ?? '', body });
      done(`hello from outside ${body.length}`);
    });
  };
  const https = createHttps({ cert: leaf.certificate, key: leaf.key }, (request, response) =>
    answer(request, (text) => response.end(text)),
  );
  const http = createHttp((request, response) => answer(request, (text) => response.end(text)));
  return {
    https: await listening(https),
    http: await listening(http),
    authority: ca.certificate,
    heard,
    close: () => {
      for (const server of [https, http]) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

const MAIN = fileURLToPath(new URL('../../../runtime/service/src/main.ts', import.meta.url));

export interface EgressProcess {
  /** Ports for the platform, and for jobs. */
  readonly port: number;
  readonly jobs: number;
  /** Writes another login. */
  login(text: string): Promise<void>;
  metrics(): Promise<string>;
  /** All that it logged. */
  log(): string;
  stop(): Promise<void>;
}

/** The platform's way out, as its Pod runs it. @param proxyPort where the site's proxy is */
export async function startEgress(proxyPort: number): Promise<EgressProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'delos-egress-'));
  const login = join(folder, 'login');
  await writeFile(login, `${LOGIN}\n`);
  const [port, jobs, internal] = [await freePort(), await freePort(), await freePort()];
  const child = spawn(process.execPath, [MAIN, 'egress'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH ?? '',
      DELOS_PROXY_HTTP: `http://127.0.0.1:${proxyPort}`,
      DELOS_PROXY_HTTPS: `http://127.0.0.1:${proxyPort}`,
      DELOS_PROXY_CREDENTIALS_FILE: login,
      DELOS_EGRESS_JOBS: 'true',
      DELOS_EGRESS_PORT: String(port),
      DELOS_EGRESS_JOBS_PORT: String(jobs),
      DELOS_INTERNAL_PORT: String(internal),
      DELOS_LISTEN_HOST: '127.0.0.1',
    },
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (log += text.toString()));
  await until('the way out is ready', 30, async (last) => {
    if (child.exitCode !== null) throw new Error(`it ended: ${log}`);
    last(log);
    return await fetch(`http://127.0.0.1:${internal}/health/ready`).then(
      ({ ok }) => ok || undefined,
      () => undefined,
    );
  });
  return {
    port,
    jobs,
    login: (text) => writeFile(login, text),
    metrics: async () => await (await fetch(`http://127.0.0.1:${internal}/metrics`)).text(),
    log: () => log,
    stop: async () => {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
      await rm(folder, { recursive: true });
    },
  };
}
