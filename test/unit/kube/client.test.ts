import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { isNotFound, type KubeClient, type KubeClientOptions, KubeError } from '@delos/kube';
import { afterEach, describe, expect, test } from 'vitest';
import { plainClient } from '../../support/kube/plain-client.ts';

type Answer = (request: IncomingMessage, response: ServerResponse, nth: number) => unknown;

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** A real HTTP server that answers as the test says, and a client of it. */
async function serving(answer: Answer, options: Partial<KubeClientOptions> = {}) {
  const asked: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((request, response) => {
    asked.push(request);
    sockets.add(request.socket);
    answer(request, response, asked.length);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client: KubeClient = plainClient((server.address() as AddressInfo).port, options);
  stops.push(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });
  return { client, asked, sockets };
}

const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};

describe('a request', () => {
  test('over a kept connection that the server has closed meanwhile is asked again, once', async () => {
    const { client, asked, sockets } = await serving((_request, response, nth) => {
      // The second request comes over the first one's connection, which breaks off without an answer.
      if (nth === 2) response.destroy();
      else json(response, 200, { nth });
    });
    expect(await client.get('/a')).toEqual({ nth: 1 });
    expect(await client.get('/b')).toEqual({ nth: 3 });
    expect(asked.map(({ url }) => url)).toEqual(['/a', '/b', '/b']);
    expect(sockets.size).toBe(2);
  });

  test('over a connection of its own that breaks off fails: it may have been done', async () => {
    const { client, asked } = await serving((_request, response) => response.destroy());
    await expect(client.create('/a', {})).rejects.toThrow('socket hang up');
    expect(asked).toHaveLength(1);
  });

  test.each([
    [429, 2, 'an answer'],
    [500, 2, 'an answer'],
    [503, 2, 'an answer'],
    [504, 2, 'an answer'],
    [400, 1, 400],
    [403, 1, 403],
    [404, 1, 404],
    [409, 1, 409],
    [422, 1, 422],
  ])('that is answered %i is sent %i time(s) where two attempts are allowed', async (status, times, outcome) => {
    const { client, asked } = await serving(
      (_request, response, nth) => (nth === 1 ? json(response, status, {}) : json(response, 200, 'an answer')),
      { attempts: 2 },
    );
    const found = await client.get('/a').catch((error: unknown) => (error instanceof KubeError ? error.status : error));
    expect(found).toBe(outcome);
    expect(asked).toHaveLength(times);
  });

  test('that fails at every attempt fails with the last answer; by default there is one attempt', async () => {
    const busy: Answer = (_request, response, nth) => json(response, 503, { message: `busy ${nth}` });
    const twice = await serving(busy, { attempts: 2 });
    await expect(twice.client.get('/a')).rejects.toThrow('busy 2');
    const once = await serving(busy);
    await expect(once.client.get('/a')).rejects.toThrow('busy 1');
  });

  test('is ended at its limit, which names what was asked for', async () => {
    const silent = await serving(() => undefined, { limitMs: 50 });
    await expect(silent.client.get('/a')).rejects.toThrow('GET /a: no answer within 0.05 s');
    const slow = await serving((_request, response) => response.write('{'));
    await expect(slow.client.get('/b', {}, { limitMs: 50 })).rejects.toThrow('GET /b: no answer within 0.05 s');
  });

  test('has its whole limit for the server, however long it takes to sign in', async () => {
    const { client } = await serving((_request, response) => json(response, 200, 'here'), { limitMs: 1_000 });
    const { promise, resolve } = Promise.withResolvers<object>();
    Object.assign(client.access, { credentials: () => promise });
    const answer = client.get('/a', {}, { limitMs: 100 });
    setTimeout(() => resolve({}), 200);
    expect(await answer).toBe('here');
  });

  test('is ended by its signal', async () => {
    const { client } = await serving(() => undefined, { attempts: 4 });
    const stop = new AbortController();
    const answer = client.get('/a', {}, { signal: stop.signal });
    stop.abort(new Error('no longer wanted'));
    await expect(answer).rejects.toThrow('no longer wanted');
  });

  test.each([
    [64, true],
    [65, false],
  ])('whose answer has %i bytes of 64 allowed is taken: %s', async (length, taken) => {
    const { client } = await serving((_request, response) => response.end('x'.repeat(length)), { maxBytes: 64 });
    const found = await client.get('/a').catch((error: Error) => error.message);
    expect(found).toBe(taken ? 'x'.repeat(length) : 'the answer is larger than 64 bytes');
  });
});

describe('a refusal', () => {
  test('of the API server has its reason, message and fields', async () => {
    const body = {
      kind: 'Status',
      reason: 'Invalid',
      message: 'it is wrong',
      details: { causes: [{ reason: 'FieldValueInvalid', message: 'no', field: 'spec.x' }] },
    };
    const { client } = await serving((_request, response) => json(response, 422, body));
    await expect(client.create('/a', {})).rejects.toMatchObject({
      status: 422,
      reason: 'Invalid',
      message: 'it is wrong',
      fields: [{ field: 'spec.x', reason: 'FieldValueInvalid', message: 'no' }],
    });
  });

  test.each([
    ['a proxy’s words are the message', '  upstream is away\n', 'upstream is away'],
    ['without words the status is the message', '', 'HTTP 502'],
  ])('%s', async (_rule, words, message) => {
    const { client } = await serving((_request, response) => response.writeHead(502).end(words));
    await expect(client.get('/a')).rejects.toMatchObject({ status: 502, reason: '', message });
  });

  test('of an object that is not there is undefined to who tries, an error to who gets', async () => {
    const { client } = await serving((_request, response) => json(response, 404, {}));
    expect(await client.tryGet('/a')).toBeUndefined();
    expect(isNotFound(await client.get('/a').catch((error: unknown) => error))).toBe(true);
  });
});

test.each<[string, (client: KubeClient) => Promise<unknown>, string, string]>([
  ['create', (client) => client.create('/a', {}), 'POST /a?fieldManager=test', 'application/json'],
  ['patch', (client) => client.patch('/a', {}), 'PATCH /a', 'application/merge-patch+json'],
  [
    'apply',
    (client) => client.apply('/a', {}),
    'PATCH /a?fieldManager=test&force=true',
    'application/apply-patch+yaml',
  ],
  [
    'apply, as a trial, for somebody else',
    (client) => client.apply('/a', {}, { fieldManager: 'me', force: false, dryRun: true }),
    'PATCH /a?fieldManager=me&dryRun=All',
    'application/apply-patch+yaml',
  ],
  ['delete', (client) => client.delete('/a'), 'DELETE /a', 'application/json'],
])('%s is the request that the API server knows', async (_name, call, line, type) => {
  const { client, asked } = await serving((_request, response) => json(response, 200, {}));
  await call(client);
  expect(asked.map(({ method, url, headers }) => [`${method} ${url}`, headers['content-type']])).toEqual([
    [line, type],
  ]);
});

test('a query may have one name several times', async () => {
  const { client, asked } = await serving((_request, response) => json(response, 200, {}));
  await client.get('/a', { command: ['sh', '-c'], tty: 'true' });
  expect(asked[0]?.url).toBe('/a?command=sh&command=-c&tty=true');
});

describe('a watch', () => {
  const watched = async (client: KubeClient, silenceMs = 10_000, signal = new AbortController().signal) => {
    const events: unknown[] = [];
    const error = await (async () => {
      for await (const event of client.watch('/a', { watch: '1' }, silenceMs, signal)) events.push(event);
    })().then(
      () => undefined,
      (cause: unknown) => cause as Error,
    );
    return { events, error };
  };
  const EVENTS = [
    { type: 'ADDED', object: { name: 'ä' } },
    { type: 'DELETED', object: {} },
  ];
  const BYTES = Buffer.from(EVENTS.map((event) => `${JSON.stringify(event)}\n`).join(''));

  test.each([1, 7, 44, BYTES.length])('that comes in pieces of %i bytes has the same events', async (size) => {
    const { client } = await serving(async (_request, response) => {
      response.socket?.setNoDelay(true);
      for (let at = 0; at < BYTES.length; at += size) {
        response.write(BYTES.subarray(at, at + size));
        await new Promise(setImmediate);
      }
      response.end();
    });
    expect(await watched(client)).toEqual({ events: EVENTS, error: undefined });
  });

  test('that falls silent fails, after the events before', async () => {
    const { client } = await serving((_request, response) => response.write(BYTES));
    const { events, error } = await watched(client, 100);
    expect(events).toEqual(EVENTS);
    expect(error?.message).toBe('/a: no event for 100 ms');
  });

  test('that breaks off in the middle of an event fails', async () => {
    const { client } = await serving((_request, response) => {
      response.write(BYTES.subarray(0, BYTES.length - 4), () => response.destroy());
    });
    const { events, error } = await watched(client);
    expect(events).toEqual(EVENTS.slice(0, 1));
    expect(error).toBeInstanceOf(Error);
  });

  test('with an event longer than 16 MiB fails: no server has such an object', async () => {
    const { client } = await serving((_request, response) => {
      response.on('error', () => undefined);
      response.write(Buffer.alloc(17 * 2 ** 20, 0x20));
    });
    const { error } = await watched(client);
    expect(error?.message).toMatch(/^\/a: an event is longer than \d+ bytes$/);
  });

  test('that is refused fails with the refusal', async () => {
    const { client } = await serving((_request, response) => json(response, 410, { reason: 'Expired' }));
    expect((await watched(client)).error).toMatchObject({ status: 410, reason: 'Expired' });
  });

  test('ends when its signal fires', async () => {
    const stop = new AbortController();
    const { client } = await serving((_request, response) => {
      response.write(BYTES, () => setTimeout(() => stop.abort(), 20));
    });
    const { events, error } = await watched(client, 10_000, stop.signal);
    expect(events).toEqual(EVENTS);
    expect(error).toBeInstanceOf(Error);
  });

  test('takes no connection away from other calls, however many there are', async () => {
    const { client } = await serving((request, response) => {
      if (request.url?.includes('watch')) response.writeHead(200).flushHeaders();
      else json(response, 200, 'here');
    });
    const stop = new AbortController();
    const all = Array.from({ length: 60 }, () => watched(client, 10_000, stop.signal));
    expect(await client.get('/b')).toBe('here');
    stop.abort();
    await Promise.all(all);
  });
});
