import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { ApiClient } from '../../../cli/src/commands/platform/api-client.ts';
import { isOfStop } from '../../../cli/src/interrupt.ts';

/** An API that takes each request and never answers it; the log of job `begun` is opened, has a line, and never ends. */
let server: Server;
let url: string;
const arrived: (() => void)[] = [];
const nextArrival = (): Promise<void> => new Promise((resolve) => arrived.push(resolve));

beforeAll(async () => {
  const sockets = new WebSocketServer({ noServer: true });
  server = createServer(() => arrived.shift()?.());
  server.on('upgrade', (request, socket, head) => {
    if (request.url?.includes('/begun/') !== true) arrived.shift()?.();
    else {
      sockets.handleUpgrade(request, socket, head, (open) => {
        open.send(Buffer.from('a first line\n'));
        arrived.shift()?.();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.closeAllConnections());

describe('a call to the API that is told to stop', () => {
  test.each([
    ['a request without an answer', (api: ApiClient) => api.job('job-1')],
    ['a log whose connection is not open yet', (api: ApiClient) => api.log(url, 'waiting')],
    ['a log of which a part has come', (api: ApiClient) => api.log(url, 'begun')],
  ])('ends as stopped, and neither as failed nor as whole: %s', async (_, call) => {
    const stop = new AbortController();
    const here = nextArrival();
    const ended = call(new ApiClient(`${url}/api/v1`, 'token', stop.signal)).then(
      () => 'whole',
      (error: unknown) => (isOfStop(error) ? 'stopped' : error),
    );
    await here;
    await sleep(20);
    stop.abort();
    expect(await ended).toBe('stopped');
  });

  test('is told from one that failed by itself', async () => {
    const api = new ApiClient('http://127.0.0.1:1/api/v1', 'token', new AbortController().signal);
    const error = await api.job('job-1').catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'ERR_CLUSTER_UNREACHABLE' });
    expect(isOfStop(error)).toBe(false);
  });
});
