import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { ApiClient } from '../../../cli/src/commands/platform/api-client.ts';
import { routed } from '../../../cli/src/commands/platform/gateway-route.ts';

const HOST = 'ai.example.com';
const folder = mkdtempSync(join(tmpdir(), 'delos-route-'));
const read = (name: string) => readFileSync(join(folder, name));
let server: Server;
let port: number;

/** A certificate of its own authority, for HOST alone. */
function selfSigned(): void {
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'ca.pem')];
  execFileSync('openssl', [...args, ...files, '-subj', `/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST}`], {
    stdio: 'pipe',
  });
}

beforeAll(async () => {
  selfSigned();
  server = createServer({ key: read('key.pem'), cert: read('ca.pem') }, (request, response) => {
    const { host, authorization } = request.headers;
    const job = { id: `${host} ${authorization}`, status: 'running', history: {} };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(job));
  });
  new WebSocketServer({ server }).on('connection', (socket, request) => {
    socket.send(Buffer.from(`log for ${request.headers.authorization}`));
    socket.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

describe('the platform reached through a port of loopback', () => {
  const clientOf = async (url: string) => {
    const transport = await routed(port, read('ca.pem').toString());
    return { api: new ApiClient(url, 'secret', AbortSignal.timeout(20_000), transport), close: transport.close };
  };

  test('answers under its public name, requests and WebSockets, with its own CA', async () => {
    const { api, close } = await clientOf(`https://${HOST}/api/v1`);
    expect(await api.job('j')).toMatchObject({ id: `${HOST} Bearer secret` });
    expect((await api.log(`https://${HOST}/jobs`, 'j')).toString()).toBe('log for Bearer secret');
    await close();
  });

  test('is refused under another name than its certificate’s', async () => {
    const { api, close } = await clientOf('https://other.example.com/api/v1');
    await expect(api.job('j')).rejects.toMatchObject({ code: 'ERR_CLUSTER_UNREACHABLE' });
    await close();
  });
});
