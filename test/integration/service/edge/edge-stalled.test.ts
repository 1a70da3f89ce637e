import { MAX_BODY_BYTES } from '@delos/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MAX_CONNECTIONS } from '../../../../runtime/service/src/edge/server-limits.ts';
import { exchange, openRaw, type RawConnection } from '../../../support/edge/raw-connection.ts';
import { type ServiceProcesses, startServices } from '../../../support/edge/service-processes.ts';
import { until } from '../../../support/until.ts';

/*
 * Clients that begin and do not go on, against the control API as a process.
 */

/** What the platform gives the control API (constructs/src/services/control-api). */
const MEMORY_LIMIT = 256 * 2 ** 20;
const CLIENTS = 300;
const QUIET_CLIENTS = 100;
/** Longer than any limit in time of the service. */
const LIMIT_S = 60;

let services: ServiceProcesses;
const open: RawConnection[] = [];

beforeAll(async () => {
  services = await startServices(['api']);
});
afterAll(async () => {
  for (const { socket } of open) socket.destroy();
  await services?.stop();
});
async function clients(count: number, bytes: Buffer | string): Promise<readonly RawConnection[]> {
  const all = await Promise.all(Array.from({ length: count }, () => openRaw(services.publicPort)));
  open.push(...all);
  for (const { socket } of all) socket.write(bytes);
  return all;
}

/** A POST of a job, all of its body but the last byte. */
function stalledPost(token: string | undefined): Buffer {
  const head = [
    'POST /api/v1/jobs?from_preset HTTP/1.1',
    'Host: x',
    'Content-Type: application/json',
    `Content-Length: ${MAX_BODY_BYTES}`,
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    '',
    '',
  ].join('\r\n');
  return Buffer.concat([Buffer.from(head), Buffer.alloc(MAX_BODY_BYTES - 1, ' ')]);
}

async function ping(): Promise<boolean> {
  const answer = await exchange(services.publicPort, 'GET /api/v1/ping HTTP/1.1\r\nHost: x\r\n\r\n', 20_000);
  return answer?.startsWith('HTTP/1.1 200 ') ?? false;
}

const statusOf = ({ received }: RawConnection): string => /^HTTP\/1\.1 (\d+)/.exec(received())?.[1] ?? '';
const all = (found: readonly RawConnection[], status: string): Promise<true> =>
  until(`${found.length} answers ${status}`, LIMIT_S, (last) => {
    const counts = Object.groupBy(found, statusOf);
    last(Object.entries(counts).map(([key, list]) => [key, list?.length]));
    return counts[status]?.length === found.length ? true : undefined;
  });

async function endedByTheService(found: readonly RawConnection[]): Promise<void> {
  let left = found.length;
  for (const { closed } of found) void closed.then(() => (left -= 1));
  await until('the service ends all of them', LIMIT_S, (last) => {
    last(left);
    return left === 0 ? true : undefined;
  });
}

async function healthy(): Promise<void> {
  expect(await ping()).toBe(true);
  expect(await services.memory('api')).toBeLessThan(MEMORY_LIMIT);
  expect(services.ended('api')).toBeUndefined();
}

test.concurrent('a body is not read of whoever has no token: refused at once, and the connection ends', async () => {
  const found = await clients(CLIENTS, stalledPost(undefined));
  await all(found, '401');
  await healthy();
  await endedByTheService(found);
});

test.concurrent('one user’s stalled bodies are bounded in bytes and in time, and others are served meanwhile', async () => {
  const found = await clients(CLIENTS, stalledPost(await services.token('alice')));
  const refused = await until('most are refused', LIMIT_S, (last) => {
    const busy = found.filter((one) => statusOf(one) === '503');
    last(busy.length);
    return busy.length === CLIENTS - 8 ? busy : undefined;
  });
  expect(refused[0]?.received()).toMatch(/retry-after: 1\r\n.*"code":"ERR_BUSY"/is);
  await healthy();
  const bob = await fetch(`http://127.0.0.1:${services.publicPort}/api/v1/jobs`, {
    headers: { authorization: `Bearer ${await services.token('bob')}` },
  });
  expect(bob.status).toBe(200);
  await endedByTheService(found);
  await all(
    found.filter((one) => !refused.includes(one)),
    '408',
  );
});

test.concurrent('headers that never end, and connections that say nothing, are ended by the service', async () => {
  const slow = await clients(QUIET_CLIENTS, 'GET /api/v1/ping HTTP/1.1\r\nHost: x\r\nX: ');
  const silent = await clients(QUIET_CLIENTS, '');
  await healthy();
  await endedByTheService([...slow, ...silent]);
});

test('connections beyond the most are closed as they come, and there is room again when others end', async () => {
  const found = await clients(MAX_CONNECTIONS + 50, '');
  await until('50 are closed', LIMIT_S, async () => {
    const closed = await Promise.all(
      found.map(({ closed: end }) =>
        Promise.race([end.then(() => 1), new Promise<0>((go) => setImmediate(() => go(0)))]),
      ),
    );
    return closed.filter(Boolean).length >= 50 ? true : undefined;
  });
  expect(await services.memory('api')).toBeLessThan(MEMORY_LIMIT);
  await endedByTheService(found);
  await healthy();
});
