import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import {
  startControlApi,
  startIssuer,
  TEST_CONFIG,
  type TestApi,
  type TestIssuer,
} from '../../support/service/control-api.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';

/* The whole public listener, with a server in Keycloak's place that writes down what reaches it. */

const REALM = '/auth/realms/delos';
const LOGIN = `${REALM}/login-actions/authenticate`;
/** Where the service finds the realm: a Keycloak may have no path before its realms. */
const THERE = '/realms/delos/login-actions/authenticate';

let postgres: TestPostgres;
let database: Database;
let issuer: TestIssuer;
let realm: Server;
let api: TestApi;
const reached: string[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.connect();
  issuer = await startIssuer();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    reached.push(`${request.method} ${request.url} ${await text(request)}`);
    response.writeHead(200, { 'content-type': 'text/html' }).end('the form again');
  };
  realm = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => realm.listen(0, '127.0.0.1', resolve));
  const { port } = realm.address() as AddressInfo;
  api = await startControlApi(database, issuer, TEST_CONFIG, 'default', {
    realmUrl: `http://127.0.0.1:${port}/realms/delos`,
  });
});
afterAll(async () => {
  await api?.stop();
  realm?.close();
  await issuer?.stop();
  await database?.close();
  await postgres?.stop();
});

const post = async (path: string, body: string | ReadableStream, more: RequestInit = {}): Promise<number> => {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const answer = await fetch(`${api.url}${path}`, { method: 'POST', headers, body, ...more });
  await answer.text();
  return answer.status;
};
const streamed = (body: string): ReadableStream =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(body));
      controller.close();
    },
  });

describe('a form without a token', () => {
  test('reaches Keycloak where it is a login', async () => {
    expect(await post(`${LOGIN}?session_code=a`, 'username=ann&password=b')).toBe(200);
    expect(reached.at(-1)).toBe(`POST ${THERE}?session_code=a username=ann&password=b`);
  });

  test('reaches Keycloak where its length is not told beforehand', async () => {
    const options = { duplex: 'half' } as RequestInit;
    expect(await post(LOGIN, streamed('username=ann&password=c'), options)).toBe(200);
    expect(reached.at(-1)).toBe(`POST ${THERE} username=ann&password=c`);
  });

  test('is refused where it is larger than a login can be, and Keycloak hears nothing of it', async () => {
    const before = reached.length;
    expect(await post(LOGIN, `username=ann&password=${'x'.repeat(17_000)}`)).toBe(413);
    expect(reached).toHaveLength(before);
  });

  test.each(['/api/v1/jobs?from_preset', '/api/v1/users', `${REALM}/protocol/openid-connect/token`, '/nowhere'])(
    'to %s is asked for a token before its body is read',
    async (path) => {
      expect(await post(path, 'a=b')).toBe(401);
    },
  );
});
