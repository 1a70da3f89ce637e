import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { resolveTool } from '@delos/cluster';
import { silent } from '@delos/core';
import { freePort } from '@delos/host';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EGRESS_LIMITS } from '../../../../runtime/service/src/egress/front.ts';
import {
  type EgressProcess,
  LOGIN,
  OUTSIDE,
  type OutsideServer,
  type SiteProxy,
  startEgress,
  startOutside,
  startSiteProxy,
} from '../../../support/egress/site.ts';
import { generatedParts } from '../../../support/monitoring/generated-parts.ts';
import { until } from '../../../support/until.ts';

let outside: OutsideServer;
let proxy: SiteProxy;
let way: EgressProcess;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-way-out-'));
  outside = await startOutside();
  // Names lead by the proxy alone, the second of them to the server that speaks http.
  proxy = await startSiteProxy({ [OUTSIDE]: outside.https, 'plain.outside.example': outside.http });
  way = await startEgress(proxy.port);
});
afterAll(async () => {
  await way?.stop();
  proxy?.close();
  outside?.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  proxy.passed.length = 0;
  proxy.refused.length = 0;
});

/** What a client of that proxy is answered, as any program with HTTPS_PROXY asks. */
async function ask(url: string, port: number, body = ''): Promise<{ readonly status: number; readonly text: string }> {
  const at = `http://127.0.0.1:${port}`;
  const env = { HTTP_PROXY: at, HTTPS_PROXY: at };
  const https = url.startsWith('https:');
  return await new Promise((resolve, reject) => {
    const options = { method: 'POST', ca: outside.authority };
    const asked = https
      ? httpsRequest(url, { ...options, agent: new Agent({ proxyEnv: env }) })
      : httpRequest(url, { ...options, agent: new HttpAgent({ proxyEnv: env }) });
    asked.once('error', reject);
    asked.once('response', (answer) => {
      void text(answer).then((all) => resolve({ status: answer.statusCode ?? 0, text: all }), reject);
    });
    asked.end(body);
  });
}

/** The head of the answer to a request as it stands. */
const raw = (port: number, lines: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(lines));
    let all = '';
    socket.setTimeout(10_000, () => reject(new Error(`no answer: ${all}`)));
    socket.on('data', (piece) => (all += piece.toString()));
    socket.on('close', () => resolve(all));
    socket.on('error', reject);
  });

describe('the way out', () => {
  test('leads to a server outside by the site’s proxy, with its login, which no client knows', async () => {
    expect(await ask(`https://${OUTSIDE}/a`, way.port, 'x'.repeat(70_000))).toEqual({
      status: 200,
      text: 'hello from outside 70000',
    });
    expect(proxy.passed).toEqual([{ method: 'CONNECT', to: `${OUTSIDE}:443` }]);
    expect(proxy.bytes).toBeGreaterThan(70_000);
  });

  test('passes requests for http:// on, less what is for one hop alone', async () => {
    expect(await ask('http://plain.outside.example/b?c', way.port, 'y')).toEqual({
      status: 200,
      text: 'hello from outside 1',
    });
    expect(proxy.passed).toEqual([{ method: 'POST', to: 'http://plain.outside.example/b?c' }]);
  });

  test('says what is wrong where the proxy refuses, and where the login is no longer good', async () => {
    expect(await ask('http://unknown.example/', way.port)).toMatchObject({ status: 502 });
    const head = await raw(way.port, 'CONNECT unknown.example:443 HTTP/1.1\r\nHost: unknown.example:443\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 502 [\s\S]*the proxy refuses \(502 No\)/);
    await way.login('delos:former');
    const denied = await raw(way.port, `CONNECT ${OUTSIDE}:443 HTTP/1.1\r\nHost: ${OUTSIDE}:443\r\n\r\n`);
    expect(denied).toMatch(/^HTTP\/1\.1 502 [\s\S]*does not take the credentials of `network.proxy`/);
    // A changed file is taken without a restart.
    await way.login(LOGIN);
    expect(await ask(`https://${OUTSIDE}/`, way.port)).toMatchObject({ status: 200 });
    const counted = await way.metrics();
    expect(counted).toMatch(/delos_egress_requests_total\{[^}]*from="platform",outcome="away"[^}]*\} 1/);
    expect(way.log()).not.toContain('s3cret');
  });

  test.each([
    ['the cluster’s names', 'control-api.delos.svc.cluster.local:8081'],
    ['a short name', 'postgres:5432'],
    ['the machine itself', 'localhost:22'],
    ['addresses of the local network', '10.0.0.1:443'],
    ['the cloud’s metadata', '169.254.169.254:80'],
    ['IPv6 of the local network', '[fd00::1]:443'],
    ['an address that is written as a number', '2130706433:80'],
    ['an address that is written short', '127.1:80'],
    ['no port', 'example.com'],
  ])('is closed to jobs for %s', async (_, to) => {
    const head = await raw(way.jobs, `CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n\r\n`);
    expect(head).toMatch(/^HTTP\/1\.1 403 /);
    expect([proxy.passed, proxy.refused]).toEqual([[], []]);
  });

  test('is open to jobs for what is outside', async () => {
    expect(await ask(`https://${OUTSIDE}/job`, way.jobs)).toMatchObject({ status: 200 });
    expect(await ask('http://10.0.0.1/', way.jobs)).toMatchObject({ status: 403 });
    expect(await ask('http://plain.outside.example/', way.jobs)).toMatchObject({ status: 200 });
  });

  test('is no server itself, and ends what is no request', async () => {
    expect(await raw(way.port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw(way.port, 'hello\r\n\r\n')).toBe('');
  });

  test('has bounds: more connections than it has room for are closed, and it goes on', async () => {
    const held = Array.from({ length: EGRESS_LIMITS.connections + 40 }, () => connect(way.port, '127.0.0.1'));
    let closed = 0;
    for (const socket of held) socket.on('error', () => undefined).on('close', () => closed++);
    await until('what is too much is closed', 30, (last) => {
      last(closed);
      return closed >= 40 || undefined;
    });
    for (const socket of held) socket.destroy();
    await until('it serves again', 30, async () => {
      const answer = await ask(`https://${OUTSIDE}/`, way.port).catch(() => undefined);
      return answer?.status === 200 || undefined;
    });
  });
});

describe('Alertmanager behind a proxy', () => {
  const CONFIG = `
network: {proxy: {http: "http://proxy.example.com:3128"}, authorities: [/site.pem]}
notifications: {webhooks: [{name: ops, url: "https://${OUTSIDE}/alerts"}]}
`;
  let child: ChildProcess;
  let logged = '';
  let port: number;

  beforeAll(async () => {
    const { path } = await resolveTool('alertmanager', silent);
    port = await freePort();
    await writeFile(join(folder, 'ca.pem'), outside.authority);
    const settings = generatedParts(CONFIG)
      .file('alertmanager', 'alertmanager.yaml')
      .replace('group_wait: 15s', 'group_wait: 1s');
    await writeFile(join(folder, 'alertmanager.yaml'), settings);
    const args = [
      `--config.file=${folder}/alertmanager.yaml`,
      `--storage.path=${folder}/data`,
      '--cluster.listen-address=',
      `--web.listen-address=127.0.0.1:${port}`,
    ];
    child = spawn(path, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        HTTPS_PROXY: `http://127.0.0.1:${way.port}`,
        NO_PROXY: 'localhost,.svc',
        SSL_CERT_FILE: join(folder, 'ca.pem'),
      },
    });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (piece) => (logged += String(piece)));
  });
  afterAll(() => child?.kill('SIGKILL'));

  test('tells a webhook outside, whose authority is the site’s own', async () => {
    await until('Alertmanager takes an alert', 30, async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v2/alerts`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify([{ labels: { alertname: 'SiteProxyAway', severity: 'critical' } }]),
      }).catch(() => undefined);
      return answer?.ok === true || undefined;
    });
    const { body } = await until('the webhook is told', 30, (last) => {
      last(logged);
      return outside.heard.find(({ path }) => path === '/alerts');
    });
    expect(body).toContain('SiteProxyAway');
    expect(proxy.passed).toContainEqual({ method: 'CONNECT', to: `${OUTSIDE}:443` });
  });
});
