import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attack } from '../../../support/edge/attack.ts';
import { exchange } from '../../../support/edge/raw-connection.ts';
import { SERVICES, type ServiceProcesses, startServices } from '../../../support/edge/service-processes.ts';
import { runSeed } from '../../../support/random.ts';

/*
 * Every service as a process, attacked over its sockets. The long form is test/long/service/edge-fuzz.test.ts.
 */

let services: ServiceProcesses;

beforeAll(async () => {
  services = await startServices(SERVICES);
});
afterAll(() => services?.stop());

const upgrade = (path: string, more: readonly string[] = []): string =>
  [`GET ${path} HTTP/1.1`, 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket', ...more, '', ''].join('\r\n');
const LIMIT_MS = 20_000;

describe.each([
  ['public', () => services.publicPort],
  ['internal', () => services.internal.api],
])('a WebSocket handshake at the %s listener', (_name, port) => {
  test.each([
    ['a path that is not UTF-8', '/api/v1/jobs/%ff/log_ws', /^HTTP\/1\.1 40[0-4] /],
    ['a path that is not served', '/api/v1/config', /^HTTP\/1\.1 404 /],
    ['the root', '/', /^HTTP\/1\.1 404 /],
    ['a path that is no URL', '//', /^HTTP\/1\.1 40[04] /],
    ['another listener’s prefix', '/internal/agent/v1/connect', /^HTTP\/1\.1 40[14] /],
    ['an unknown agent path', '/internal/agent/v1/%ff', /^HTTP\/1\.1 40[0-4] /],
  ])('for %s is refused with an HTTP status', async (_what, path, answer) => {
    expect(await exchange(port(), upgrade(path), LIMIT_MS)).toMatch(answer);
    expect(services.ended('api')).toBeUndefined();
  });

  test('for another protocol is left unused: the answer is that of a plain request', async () => {
    const h2c =
      'GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n';
    expect(await exchange(port(), h2c, LIMIT_MS)).toMatch(/^HTTP\/1\.1 (200|404) /);
  });
});

test('no input over a socket ends a service, or makes it fail in a way that no handler caught', async () => {
  await attack(services, 200, runSeed());
  for (const service of SERVICES) {
    expect([service, services.ended(service)]).toEqual([service, undefined]);
    expect(await services.log(service)).not.toContain('an error that no handler caught');
  }
});
