import { createServer, type IncomingMessage, type Server } from 'node:http';
import { Agent, request as tlsRequest } from 'node:https';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { BODY_TOO_LARGE, MAX_BODY_BYTES } from '@delos/core';
import { freePort } from '@delos/host';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { startGateway, type TestGateway } from '../../support/edge/gateway.ts';

/*
 * The gateway's own Caddyfile, run by the real Caddy on loopback. Only addresses are replaced: two servers of the test
 * stand where the control API and Keycloak are.
 */

interface Backend {
  readonly port: number;
  readonly seen: IncomingMessage[];
  readonly server: Server;
}

let gateway: TestGateway;
let api: Backend;
let identity: Backend;
let ports: TestGateway['ports'];

async function backend(name: string, port: number): Promise<Backend> {
  const seen: IncomingMessage[] = [];
  let goOn = (): void => undefined;
  const server = createServer((incoming, answer) => {
    seen.push(incoming);
    if (incoming.url?.endsWith('/stream') === true) {
      // The rest only once the client says that it has the first: a gateway that buffers would wait for ever.
      goOn = () => answer.end('last\n');
      answer.write('first\n');
      return;
    }
    if (incoming.url?.includes('/hang-up') === true) {
      incoming.socket.destroy();
      return;
    }
    if (incoming.url?.endsWith('/go-on') === true) goOn();
    if (incoming.url?.endsWith('/size') === true) {
      let size = 0;
      incoming.on('data', (part: Buffer) => {
        size += part.length;
      });
      incoming.on('end', () => answer.end(String(size)));
      return;
    }
    answer.end(name);
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { port, seen, server };
}

beforeAll(async () => {
  api = await backend('api', await freePort());
  identity = await backend('identity', await freePort());
  gateway = await startGateway({ api: api.port, identity: identity.port });
  ({ ports } = gateway);
});

afterAll(async () => {
  await gateway?.stop();
  for (const part of [api, identity]) {
    part?.server.closeAllConnections();
    part?.server.close();
  }
});

/** A request whose path is sent as it is written: clients tidy it up otherwise. */
function raw(path: string, method = 'GET'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(ports.http, '127.0.0.1', () =>
      socket.write(`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`),
    );
    let text = '';
    socket.on('data', (data) => {
      text += data.toString();
    });
    socket.on('error', reject);
    socket.on('end', () => resolve(text));
  });
}

describe('one origin', () => {
  test.each([
    ['/api/v1/config', '200', 'api'],
    ['/apis/admin/v1/clusters', '200', 'api'],
    ['/v2/_catalog?n=30', '200', 'api'],
    ['/auth/realms/delos/protocol/openid-connect/auth?x=1', '200', 'identity'],
    ['/auth/resources/x.css', '200', 'identity'],
    ['/', '200', '<!doctype html>'],
    ['/auth/admin/', '404', 'not found'],
    ['/auth/realms/master/protocol/openid-connect/token', '404', 'not found'],
    ['/internal/agent/v1/connect', '404', 'not found'],
    ['/metrics', '404', 'not found'],
    ['/health/ready', '404', 'not found'],
    ['/Caddyfile', '404', 'not found'],
    ['/api/v1/../../internal/x', '404', 'not found'],
    ['/api/v1/%2e%2e/%2e%2e/internal/x', '404', 'not found'],
    ['//internal/x', '404', 'not found'],
    ['/auth/realms/delos/../master/x', '404', 'not found'],
    ['/auth/realms/delos/account/', '404', 'not found'],
    ['/auth/realms/delos/clients-registrations/openid-connect', '404', 'not found'],
    ['/auth/realms/delos/protocol/openid-connect/..;/..;/login-actions/authenticate', '404', 'not found'],
    ['/auth/realms/delos/protocol/openid-connect/..%3b/x', '404', 'not found'],
  ])('%s is answered %s', async (path, status, body) => {
    const answer = await raw(path);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toContain(body);
  });

  test.each([
    ['GET', '', 'identity'],
    ['POST', '', 'api'],
    ['POST', '/', 'api'],
    ['POST', ';x=1', 'HTTP/1.1 404'],
    ['POST', '%3bx=1', 'HTTP/1.1 404'],
  ])('a password is sent through the control API alone: %s …/authenticate%s', async (method, rest, body) => {
    expect(await raw(`/auth/realms/delos/login-actions/authenticate${rest}`, method)).toContain(body);
  });

  test('TLS too, by address and without a name in the hello', async () => {
    const body = await new Promise<string>((resolve, reject) => {
      const agent = new Agent({ rejectUnauthorized: false, servername: '' });
      tlsRequest({ host: '127.0.0.1', port: ports.https, path: '/api/v1/config', agent }, (answer) => {
        let text = '';
        answer.on('data', (data: Buffer) => {
          text += data.toString();
        });
        answer.on('end', () => resolve(text));
      })
        .on('error', reject)
        .end();
    });
    expect(body).toBe('api');
  });
});

test('each request has an id of the gateway’s, the same for service and client, whatever the client says', async () => {
  const answer = await fetch(`http://127.0.0.1:${ports.http}/api/v1/id`, { headers: { 'x-request-id': 'forged' } });
  const id = answer.headers.get('x-request-id');
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(api.seen.at(-1)?.headers['x-request-id']).toBe(id);
});

test('where a request came from is the gateway’s word, not the client’s', async () => {
  const forged = { 'x-forwarded-for': '8.8.8.8', 'x-forwarded-proto': 'https' };
  await fetch(`http://127.0.0.1:${ports.http}/auth/realms/delos/.well-known/x`, { headers: forged });
  const { headers } = identity.seen.at(-1) as IncomingMessage;
  expect([headers['x-forwarded-for'], headers['x-forwarded-proto']]).toEqual(['127.0.0.1', 'http']);
});

test('no log holds a query or a header, of what went well and of what failed', async () => {
  const secret = 'do-not-write-this-down';
  const headers = {
    authorization: `Bearer ${secret}`,
    referer: `http://127.0.0.1/headless?code=${secret}`,
    'x-api-key': secret,
    'sec-websocket-protocol': secret,
  };
  const ask = (method: string, path: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${ports.http}${path}?code=${secret}&x=%3f${secret}`, { method, headers });
  expect((await ask('GET', '/api/v1/headless')).status).toBe(200);
  expect((await ask('GET', '/nowhere')).status).toBe(404);
  expect((await ask('POST', '/api/v1/hang-up')).status).toBe(502);
  for (let tries = 0; tries < 100 && !/hang-up/.test(gateway.logged()); tries++) await sleep(50);
  expect(gateway.logged()).toContain('/api/v1/headless?-');
  expect(gateway.logged()).toMatch(/"level":"error"[^\n]*hang-up\?-/);
  expect(gateway.logged()).not.toContain(secret);
});

describe('a request of', () => {
  const post = (body: NonNullable<RequestInit['body']>, path = '/size'): Promise<Response> =>
    fetch(`http://127.0.0.1:${ports.http}/api/v1${path}`, { method: 'POST', body, duplex: 'half' } as RequestInit);
  /** Sent in pieces, its length not told before. */
  const pieces = (size: number): ReadableStream<Uint8Array> => {
    let left = size;
    return new ReadableStream({
      pull: (controller) => {
        const length = Math.min(left, 64_000);
        left -= length;
        if (length === 0) controller.close();
        else controller.enqueue(new Uint8Array(length));
      },
    });
  };
  const forms = [
    ['told length', (size: number) => new Uint8Array(size)],
    ['untold length', pieces],
  ] as const;

  test.each(forms)('the most that is taken passes whole: %s', async (_, body) => {
    const answer = await post(body(MAX_BODY_BYTES));
    expect([answer.status, await answer.text()]).toEqual([200, String(MAX_BODY_BYTES)]);
  });

  test.each(
    forms.flatMap(([name, body]) =>
      [MAX_BODY_BYTES + 1, 2 * MAX_BODY_BYTES, 30_000_000].map((size) => [size, name, body] as const),
    ),
  )('%d bytes is one clear error, every time: %s', async (size, _, body) => {
    for (let round = 0; round < 20; round++) {
      const answer = await post(body(size));
      expect(answer.status).toBe(413);
      expect(answer.headers.get('content-type')).toBe('application/json');
      expect(await answer.json()).toEqual({ error: BODY_TOO_LARGE, code: 'ERR_REQUEST' });
    }
  });

  test('too many bytes is not even begun at a service where its length is told', async () => {
    const statuses: number[] = [];
    for (const size of [MAX_BODY_BYTES, MAX_BODY_BYTES + 1]) {
      statuses.push((await post(new Uint8Array(size), `/told-${size}/size`)).status);
    }
    expect(statuses).toEqual([200, 413]);
    const begun = api.seen.flatMap(({ url }) => /told-\d+/.exec(url ?? '')?.[0] ?? []);
    expect(begun).toEqual([`told-${MAX_BODY_BYTES}`]);
  });
});

test('a stream passes as it comes', async () => {
  const url = `http://127.0.0.1:${ports.http}/api/v1`;
  const answer = await fetch(`${url}/stream`, { signal: AbortSignal.timeout(30_000) });
  const got: string[] = [];
  const decoder = new TextDecoder();
  for await (const part of answer.body ?? []) {
    got.push(decoder.decode(part));
    if (got.length === 1) await fetch(`${url}/go-on`);
  }
  expect(got.join('')).toBe('first\nlast\n');
});

test('a WebSocket passes binary frames whole', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${ports.http}/api/v1/jobs/x/log_ws`);
  const frame = Buffer.alloc(1_000_000, 7);
  const echoed = await new Promise<Buffer>((resolve, reject) => {
    socket.on('open', () => socket.send(frame));
    socket.on('message', (data: Buffer) => resolve(data));
    socket.on('error', reject);
  });
  socket.close();
  expect(echoed.equals(frame)).toBe(true);
});

test('a service that restarts is waited for', async () => {
  await new Promise<void>((resolve) => {
    api.server.close(() => resolve());
    api.server.closeAllConnections();
  });
  const answer = fetch(`http://127.0.0.1:${ports.http}/api/v1/config`);
  await sleep(1000);
  api = await backend('api again', api.port);
  expect(await (await answer).text()).toBe('api again');
});
