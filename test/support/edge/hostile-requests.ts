import fc from 'fast-check';

/*
 * Bytes that somebody outside may send to a listener: requests and handshakes that are nearly right, HTTP/2 with prior
 * knowledge, and noise.
 */

/** Name of a job that is there. */
export const FUZZED_JOB = 'fuzzed';
const ID = 'job-00000000-0000-4000-8000-000000000000';
/** A key of RFC 6455's own example. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** Mostly the first, so that most of what is sent gets past the parser. */
function often<T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: odd });
}

const part = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => encodeURIComponent(text.toWellFormed())),
  fc.constantFrom(
    '%ff',
    '%',
    '%00',
    '%ed%a0%80',
    '%2e%2e',
    '..',
    ID,
    FUZZED_JOB,
    'x'.repeat(300),
    '%C3%28',
    '[',
    '\\',
    'é',
  ),
  fc.string({ maxLength: 20 }).map((text) => text.replaceAll(' ', '')),
);
const path = fc.oneof(
  fc
    .tuple(part, fc.constantFrom('log_ws', 'attach', 'exec', 'port_forward/', 'port_forward/x', 'top', ''))
    .map(([id, kind]) => `/api/v1/jobs/${id}/${kind}`),
  part.map((name) => `/api/v1/${name}`),
  part.map((name) => `/internal/agent/v1/${name}`),
  fc.constantFrom(
    '/',
    '*',
    '//',
    '///',
    'http://[/',
    'x:y',
    '/api/v1/jobs',
    '/health/live',
    '/internal/agent/v1/connect',
  ),
);
const query = fc.oneof(
  fc.constant(''),
  fc
    .tuple(fc.constantFrom('cmd', 'since', 'cluster', 'node', 'name', 'tty', 'separator', 'limit'), part)
    .map(([key, value]) => `?${key}=${value}`),
);
const method = often(
  fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
  fc.constantFrom('OPTIONS', 'HEAD', 'CONNECT', 'TRACE', 'FOO', ''),
);
const version = often(fc.constant('HTTP/1.1'), fc.constantFrom('HTTP/1.0', 'HTTP/2.0', 'HTTP/9.9', ''));

const headers = (authorization: readonly string[]): fc.Arbitrary<readonly string[]> => {
  const usual = fc.oneof(
    fc.constantFrom(
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Upgrade: h2c',
      'Upgrade: ',
      'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
      `Sec-WebSocket-Key: ${KEY}`,
      'Sec-WebSocket-Key: no',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Version: 99',
      'Sec-WebSocket-Protocol: v2.channels.neu.ro',
      'Sec-WebSocket-Protocol: ,,,',
      'Sec-WebSocket-Extensions: permessage-deflate; x=',
      'Content-Length: 5',
      'Transfer-Encoding: chunked',
      'Expect: 100-continue',
      'Content-Type: application/json',
      'Content-Type: \xff',
      'Accept: application/x-ndjson',
      `Idempotency-Key: ${'k'.repeat(300)}`,
    ),
    fc.constantFrom(...authorization).map((value) => `Authorization: ${value}`),
  );
  const odd = fc.oneof(
    fc.constantFrom(
      'Content-Length: -1',
      'Content-Length: 99999999999999999999',
      'Transfer-Encoding: gzip, chunked',
      'Expect: x',
      'Host: ',
      `X: ${'x'.repeat(20_000)}`,
    ),
    fc.string({ unit: 'binary', maxLength: 30 }),
  );
  const lines = fc.array(fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: odd }), { maxLength: 8 });
  return lines.map((all) => ['Host: x', ...all]);
};

const bodies = fc.oneof(
  fc.constantFrom('', '', '{}', '{"a":"\\ud800"}', '0\r\n\r\n', 'ffffffffffffffff\r\n', '\x81\xfe\xff\xff', '{"a":'),
  fc.string({ unit: 'binary', maxLength: 60 }),
);

/** One request, as bytes. `authorization`: values that the header may have. */
function request(authorization: readonly string[]): fc.Arbitrary<Buffer> {
  return fc
    .tuple(method, path, query, version, headers(authorization), bodies)
    .map(([verb, target, search, protocol, lines, body]) =>
      Buffer.from(`${verb} ${target}${search} ${protocol}\r\n${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1'),
    );
}

/** Paths that take a WebSocket, where the token is right. */
const served = fc.constantFrom(
  `/api/v1/jobs/${FUZZED_JOB}/log_ws`,
  '/internal/agent/v1/connect?cluster=default',
  '/internal/agent/v1/collect?cluster=default&node=n',
);

/** A frame as a client sends it, its mask all zeros: of any kind, with a message of an agent or with noise. */
const frame: fc.Arbitrary<Buffer> = fc
  .tuple(
    fc.constantFrom(0x81, 0x81, 0x82, 0x01, 0x80, 0x88, 0x89, 0x8a, 0xff),
    fc.oneof(
      fc.constantFrom(
        '{"type":"hello","version":"0","nonce":""}',
        '{"type":"nodes","nodes":[]}',
        '{"type":"nodes","nodes":[{"name":"\\u0000"}]}',
        `{"type":"removed","jobId":"${ID}","podUid":"\\u0000"}`,
        '{"type":"x"}',
        '[]',
        '{',
      ),
      fc.string({ unit: 'binary', maxLength: 40 }),
    ),
  )
  .map(([first, text]) => {
    const payload = Buffer.from(text, 'latin1').subarray(0, 125);
    return Buffer.concat([Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
  });

/** A handshake that a WebSocket server may accept, then frames or bytes that are none. */
function handshake(authorization: readonly string[]): fc.Arbitrary<Buffer> {
  const target = fc.oneof(
    served,
    fc.tuple(path, query).map(([place, search]) => `${place}${search}`),
  );
  const after = fc.oneof(
    fc.array(frame, { maxLength: 5 }).map((frames) => Buffer.concat(frames)),
    fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  );
  return fc
    .tuple(target, fc.constantFrom(...authorization), after)
    .map(([place, token, sent]) =>
      Buffer.concat([
        Buffer.from(
          `GET ${place} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
            `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\nAuthorization: ${token}\r\n\r\n`,
          'latin1',
        ),
        sent,
      ]),
    );
}

/** HTTP/2 with prior knowledge: the preface, then frames of any type, length and content. */
const http2: fc.Arbitrary<Buffer> = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.nat(255), fc.nat(10), fc.uint8Array({ maxLength: 40 })), {
    maxLength: 5,
  })
  .map((frames) =>
    Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      ...frames.map(([type, flags, stream, payload]) => {
        const head = Buffer.alloc(9);
        head.writeUIntBE(payload.length, 0, 3);
        head[3] = type;
        head[4] = flags;
        head.writeUInt32BE(stream, 5);
        return Buffer.concat([head, payload]);
      }),
    ]),
  );

/** One connection's worth of hostile bytes. */
export function hostileBytes(authorization: readonly string[]): fc.Arbitrary<Buffer> {
  return fc.oneof(
    { weight: 5, arbitrary: request(authorization) },
    { weight: 4, arbitrary: handshake(authorization) },
    { weight: 1, arbitrary: http2 },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  );
}
