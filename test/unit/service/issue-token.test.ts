import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { freePort } from '@delos/host';
import { expect, test } from 'vitest';
import { issueToken } from '../../../runtime/service/src/identity/issue.ts';

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const TOKEN = `${part({ alg: 'none' })}.${part({ jti: '1', identity: 'ann', exp: 4_000_000_000 })}.x`;

/** A token endpoint that first refuses so often. */
async function asked(refusals: number, status: number, why: string) {
  const assertions: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => {
      body += data.toString();
    });
    request.on('end', () => {
      assertions.push(new URLSearchParams(body).get('assertion') ?? '');
      const refuse = assertions.length <= refusals;
      response.writeHead(refuse ? status : 200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify(refuse ? { error: 'invalid_request', error_description: why } : { access_token: TOKEN }),
      );
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const realmUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const secret = Buffer.alloc(32, 7).toString('base64');
  try {
    const issued = await issueToken({ issuer: 'http://x/realms/delos', realmUrl, secret }, 'ann', 60).then(
      ({ user }) => user,
      (error: Error) => error.message,
    );
    return { issued, assertions };
  } finally {
    server.close();
  }
}

test('a database that was started again is asked again, each time with an assertion of its own', async () => {
  const { issued, assertions } = await asked(1, 400, 'Database operation failed');
  expect(issued).toBe('ann');
  expect(new Set(assertions).size).toBe(2);
});

test('any other refusal is one', async () => {
  const { issued, assertions } = await asked(1, 400, 'Invalid client');
  expect(issued).toContain('Keycloak did not issue a token: 400 Invalid client');
  expect(assertions).toHaveLength(1);
});

test('a Keycloak that starts is waited for', async () => {
  const port = await freePort();
  const realmUrl = `http://127.0.0.1:${port}`;
  const server = createServer((_, response) => response.end(JSON.stringify({ access_token: TOKEN })));
  const late = setTimeout(() => server.listen(port, '127.0.0.1'), 500);
  try {
    const secret = Buffer.alloc(32, 7).toString('base64');
    expect((await issueToken({ issuer: 'http://x/realms/delos', realmUrl, secret }, 'ann', 60)).user).toBe('ann');
  } finally {
    clearTimeout(late);
    server.close();
  }
});
