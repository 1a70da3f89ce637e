import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2, constants, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { freePort } from '@delos/host';
import { type Client, Metadata, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { TestGateway } from './gateway.ts';
import { ECHO, type GrpcJob, grpcClient, startGrpcJob } from './grpc-job.ts';

/* HTTP/2 and gRPC to jobs, through the real gateway and the real router. */

export interface Http2World {
  readonly gateway: TestGateway;
  /** Host of a job that shows what it gets, without a login. */
  readonly open: string;
  /** Makes a job whose port asks for a login, which runs. @returns its host */
  readonly jobAt: (port: number) => Promise<string>;
  readonly token: () => Promise<string>;
}

export interface Http2Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** A connection of HTTP/2 in TLS for a host name. */
export async function http2To(gateway: TestGateway, host: string): Promise<ClientHttp2Session> {
  const session = connectHttp2(`https://${host}:${gateway.ports.https}`, {
    createConnection: () =>
      connectTls({
        host: '127.0.0.1',
        port: gateway.ports.https,
        servername: host,
        ca: gateway.authority(),
        ALPNProtocols: ['h2'],
      }),
  });
  session.on('error', () => undefined);
  await once(session, 'connect');
  return session;
}

export async function askHttp2(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
  body?: Buffer,
): Promise<Http2Answer> {
  const stream = session.request({ ':path': '/', ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const [answered] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status'?: number }];
  const parts: Buffer[] = [];
  for await (const part of stream as AsyncIterable<Buffer>) parts.push(part);
  return { status: answered[':status'] ?? 0, headers: answered, text: Buffer.concat(parts).toString() };
}

/** The protocol that the gateway agrees on with a client that offers these, or why it does not. */
async function agreed(gateway: TestGateway, servername: string, offered: readonly string[]): Promise<string> {
  const socket = connectTls({
    host: '127.0.0.1',
    port: gateway.ports.https,
    servername,
    ca: gateway.authority(),
    ALPNProtocols: [...offered],
  });
  try {
    await once(socket, 'secureConnect');
    return String(socket.alpnProtocol);
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  } finally {
    socket.destroy();
  }
}

export function http2Suite(world: () => Http2World): void {
  describe('HTTP/2', () => {
    let session: ClientHttp2Session;
    beforeAll(async () => {
      session = await http2To(world().gateway, world().open);
    });
    afterAll(() => session?.destroy());

    test('is offered at the addresses of jobs, and nowhere else', async () => {
      const { gateway, open } = world();
      expect(await agreed(gateway, open, ['h2', 'http/1.1'])).toBe('h2');
      expect(await agreed(gateway, open, ['http/1.1'])).toBe('http/1.1');
      expect(await agreed(gateway, 'localhost', ['h2', 'http/1.1'])).toBe('http/1.1');
      expect(await agreed(gateway, 'localhost', ['h2'])).toBe('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
    });

    test('leads to a job, which learns who asks from the gateway and not from the visitor', async () => {
      const authority = `${world().open}:${world().gateway.ports.https}`;
      const said = { 'x-forwarded-for': '6.6.6.6', 'x-forwarded-proto': 'http', 'x-real-ip': '6.6.6.6' };
      const { status: answered, text } = await askHttp2(session, {
        ':authority': authority,
        ':path': '/a%2Fb?x=1',
        cookie: 'a=1; delos-job=secret',
        ...said,
      });
      expect(answered).toBe(200);
      const { url, headers } = JSON.parse(text);
      expect(url).toBe('/a%2Fb?x=1');
      const seen = new Map<string, string>(headers);
      expect(Object.fromEntries(seen)).toMatchObject({
        host: authority,
        cookie: 'a=1',
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'https',
        'x-real-ip': '127.0.0.1',
      });
    });

    test('carries an upload whole, and answers as they come', async () => {
      const authority = `${world().open}:${world().gateway.ports.https}`;
      const body = Buffer.alloc(8 * 2 ** 20, 'x');
      const uploaded = await askHttp2(session, { ':authority': authority, ':method': 'POST' }, body);
      expect(JSON.parse(uploaded.text)).toMatchObject({ method: 'POST', size: body.length });
      const events = session.request({ ':authority': authority, ':path': '/sse' });
      const [first] = (await once(events, 'data')) as [Buffer];
      const [second] = (await once(events, 'data')) as [Buffer];
      expect([first.toString(), second.toString()]).toEqual(['data: 0\n\n', 'data: 1\n\n']);
      events.close(constants.NGHTTP2_CANCEL);
    });

    test('of another name than a job’s is to be asked by another connection', async () => {
      for (const authority of ['127.0.0.1', 'localhost', `jobs.localhost:${world().gateway.ports.https}`])
        expect(await askHttp2(session, { ':authority': authority, ':path': '/api/v1/ping' })).toMatchObject({
          status: 421,
        });
    });

    test('leaves WebSockets what they were', async () => {
      const { gateway, open } = world();
      const { https: port } = gateway.ports;
      const socket = new WebSocket(`wss://${open}:${port}/`, {
        createConnection: () =>
          connectTls({
            host: '127.0.0.1',
            port,
            servername: open,
            ca: gateway.authority(),
            ALPNProtocols: ['http/1.1'],
          }),
      });
      await once(socket, 'open');
      socket.send('there');
      expect(String((await once(socket, 'message'))[0])).toBe('there');
      socket.terminate();
    });
  });

  describe('gRPC', () => {
    let job: GrpcJob;
    let client: Client;
    let shown: Metadata;
    beforeAll(async () => {
      const { gateway, jobAt, token } = world();
      const port = await freePort();
      job = await startGrpcJob(port);
      client = grpcClient(gateway.ports.https, await jobAt(port), gateway.authority());
      shown = new Metadata();
      shown.set('authorization', `Bearer ${await token()}`);
      shown.set('x-own', 'kept');
    });
    afterAll(() => {
      client?.close();
      job?.stop();
    });

    const one = (metadata: Metadata, path: { readonly path: string } = ECHO.one) =>
      new Promise<Buffer>((resolve, reject) => {
        client.makeUnaryRequest(
          path.path,
          ECHO.one.requestSerialize,
          ECHO.one.responseDeserialize,
          Buffer.from('there'),
          metadata,
          { deadline: Date.now() + 20_000 },
          (error, value) => (value === undefined ? reject(error) : resolve(value)),
        );
      });

    test('gets to a job, with the visitor’s own metadata and without the token', async () => {
      expect(String(await one(shown))).toBe('there');
      expect(job.seen()).toMatchObject({ 'x-own': 'kept' });
      expect(job.seen()).not.toHaveProperty('authorization');
    });

    test('is refused without a token, as gRPC says it', async () => {
      await expect(one(new Metadata())).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    });

    test('brings a job’s own status and words', async () => {
      await expect(one(shown, ECHO.refused)).rejects.toMatchObject({
        code: status.FAILED_PRECONDITION,
        details: 'the job says no',
      });
    });

    test('streams from the job', async () => {
      const call = client.makeServerStreamRequest(
        ECHO.many.path,
        ECHO.many.requestSerialize,
        ECHO.many.responseDeserialize,
        Buffer.from('500'),
        shown,
      );
      const got: string[] = [];
      for await (const part of call) got.push(String(part));
      expect(got).toEqual(Array.from({ length: 500 }, (_, nth) => String(nth)));
    });

    test('streams to the job', async () => {
      const size = await new Promise<Buffer>((resolve, reject) => {
        const call = client.makeClientStreamRequest(
          ECHO.sum.path,
          ECHO.sum.requestSerialize,
          ECHO.sum.responseDeserialize,
          shown,
          (error, value) => (value === undefined ? reject(error) : resolve(value)),
        );
        for (let nth = 0; nth < 64; nth += 1) call.write(Buffer.alloc(2 ** 16));
        call.end();
      });
      expect(Number(size)).toBe(64 * 2 ** 16);
    });

    test('streams both ways at once: each answer comes before the next question', async () => {
      const call = client.makeBidiStreamRequest(
        ECHO.talk.path,
        ECHO.talk.requestSerialize,
        ECHO.talk.responseDeserialize,
        shown,
      );
      for (let nth = 0; nth < 20; nth += 1) {
        call.write(Buffer.from(String(nth)));
        expect(String((await once(call, 'data'))[0])).toBe(String(nth));
      }
      call.end();
      const [ended] = await once(call, 'status');
      expect(ended).toMatchObject({ code: status.OK });
    });
  });
}
