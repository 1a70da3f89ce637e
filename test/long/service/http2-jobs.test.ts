import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { namedJobLabel } from '@delos/core';
import { freePort } from '@delos/host';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { ask } from '../../support/edge/ask.ts';
import { startGateway, type TestGateway } from '../../support/edge/gateway.ts';
import { ECHO, grpcClient, startGrpcJob } from '../../support/edge/grpc-job.ts';
import { askHttp2, http2To } from '../../support/edge/http2-suite.ts';
import {
  JOBS_DOMAIN,
  newJob,
  runs,
  startJobRouter,
  startWebJob,
  type TestJobRouter,
} from '../../support/edge/job-router.ts';
import { startControlApi, startIssuer, type TestApi, type TestIssuer } from '../../support/service/control-api.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';
import { until } from '../../support/until.ts';

/*
 * HTTP/2 to jobs under load and by attack: the real gateway, router, control API and PostgreSQL. What passes at all is in
 * test/integration/service/edge/job-router.test.ts.
 */

let postgres: TestPostgres;
let database: Database;
let issuer: TestIssuer;
let api: TestApi;
let gateway: TestGateway;
let router: TestJobRouter;
let web: Awaited<ReturnType<typeof startWebJob>>;
const hosts = { one: '', open: '' };

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.connect();
  await database.notifications.start();
  issuer = await startIssuer();
  api = await startControlApi(database, issuer, undefined, 'default', { jobsDomain: JOBS_DOMAIN });
  const [port, http2Port] = [await freePort(), await freePort()];
  gateway = await startGateway(
    { api: Number(new URL(api.url).port), identity: await freePort() },
    {
      'job-router.delos.svc.cluster.local:8080': `127.0.0.1:${port}`,
      'job-router.delos.svc.cluster.local:8082': `127.0.0.1:${http2Port}`,
    },
  );
  const publicUrl = `http://127.0.0.1:${gateway.ports.http}`;
  router = await startJobRouter({ api: api.url, publicUrl, issuer: issuer.issuer, port, http2Port });
  const webPort = await freePort();
  web = await startWebJob(webPort);
  const job = async (name: string, login: boolean): Promise<string> => {
    const id = await newJob(api, 'alice', { name, http: { port: webPort, requires_auth: login } });
    await runs(api, id);
    return `${namedJobLabel({ org: 'acme', project: 'one', name })}.${JOBS_DOMAIN}`;
  };
  Object.assign(hosts, { one: await job('first', true), open: await job('third', false) });
});

afterAll(async () => {
  await web?.stop();
  await router?.stop();
  await gateway?.stop();
  await api?.stop();
  await issuer?.stop();
  await database?.close();
  await postgres?.stop();
});

const get = (host: string) => ask(gateway.ports.http, host);

describe('HTTP/2 under load', () => {
  test('an upload of 512 MiB arrives whole, in the memory that router and gateway have', async () => {
    const session = await http2To(gateway, hosts.open);
    const part = randomBytes(2 ** 20);
    const hash = createHash('sha256');
    const stream = session.request({ ':method': 'POST', ':path': '/upload', ':authority': authority(hosts.open) });
    for (let nth = 0; nth < 512; nth += 1) {
      hash.update(part);
      if (!stream.write(part)) await once(stream, 'drain');
    }
    stream.end();
    let text = '';
    for await (const piece of stream as AsyncIterable<Buffer>) text += piece.toString();
    expect(JSON.parse(text)).toMatchObject({ size: 512 * 2 ** 20, digest: hash.digest('hex') });
    session.destroy();
    expect(memory()).toBeLessThan(96);
    expect(memory(gateway.pid)).toBeLessThan(200);
  });

  test('a stream of gRPC may be silent for longer than a body may stall', async () => {
    const port = await freePort();
    const job = await startGrpcJob(port);
    const id = await newJob(api, 'alice', { http: { port, requires_auth: false } });
    await runs(api, id);
    const client = grpcClient(gateway.ports.https, `${id}.${JOBS_DOMAIN}`, gateway.authority());
    const { path, requestSerialize, responseDeserialize } = ECHO.talk;
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    for (const words of ['before', 'after']) {
      call.write(Buffer.from(words));
      expect(String((await once(call, 'data'))[0])).toBe(words);
      if (words === 'before') await sleep(45_000);
    }
    call.end();
    await once(call, 'status');
    client.close();
    job.stop();
  });

  test('requests beyond the most are refused, and those of others are answered', async () => {
    const sessions = await Promise.all(Array.from({ length: 3 }, () => http2To(gateway, hosts.open)));
    const streams = sessions.flatMap((session) =>
      Array.from({ length: 90 }, () => session.request({ ':path': '/sse', ':authority': authority(hosts.open) })),
    );
    const answers = await Promise.all(
      streams.map(async (stream) => ((await once(stream, 'response')) as [{ ':status'?: number }])[0][':status']),
    );
    expect(answers.filter((answered) => answered === 200)).toHaveLength(200);
    expect(answers.filter((answered) => answered === 503)).toHaveLength(70);
    expect(memory()).toBeLessThan(96);
    // Another job has its own room.
    const { status } = await askHttp2(sessions[0] ?? (await http2To(gateway, hosts.one)), {
      ':authority': authority(hosts.one),
    });
    expect(status).toBe(401);
    for (const session of sessions) session.destroy();
    await until('a request finds room again', 20, async () =>
      (await get(hosts.open)).status === 200 ? true : undefined,
    );
  });

  test('connections beyond the most are closed, hostile ones too, and the router keeps to its memory', async () => {
    const sockets: TLSSocket[] = [];
    for (let nth = 0; nth < 300; nth += 1) {
      const socket = connectTls({
        ...{ host: '127.0.0.1', port: gateway.ports.https, servername: hosts.open, ca: gateway.authority() },
        ALPNProtocols: ['h2'],
      });
      socket.on('error', () => undefined);
      await once(socket, 'secureConnect');
      socket.resume();
      // A preface, then settings, and headers that never end (CONTINUATION without END_HEADERS).
      socket.write(Buffer.concat([PREFACE, frameOf(0x4, 0, 0, Buffer.alloc(0)), frameOf(0x1, 0, 1, randomBytes(64))]));
      for (let more = 0; more < 50; more += 1) socket.write(frameOf(0x9, 0, 1, randomBytes(8_000)));
      sockets.push(socket);
    }
    await sleep(3_000);
    expect(memory()).toBeLessThan(100);
    expect(memory(gateway.pid)).toBeLessThan(200);
    expect((await get(hosts.open)).status).toBe(200);
    for (const socket of sockets) socket.destroy();
    const again = await until('HTTP/2 finds room again', 30, async () => {
      const session = await http2To(gateway, hosts.open);
      const answer = await askHttp2(session, { ':authority': authority(hosts.open) }).catch(() => undefined);
      session.destroy();
      return answer?.status === 200 ? answer : undefined;
    });
    expect(again.status).toBe(200);
  });
});

const authority = (host: string): string => `${host}:${gateway.ports.https}`;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** RFC 9113, 4.1. */
function frameOf(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** MiB of a process's own, the router's where none is named, that are in memory. */
function memory(pid = router.pid()): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
