import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { elements, type TestObjectStorage, testObjectStorage } from '../../support/objects/object-storage.ts';
import { until } from '../../support/until.ts';

/* The object storage with many keys, large objects and idle clients: its memory depends on none of them. */

let storage: TestObjectStorage;
beforeAll(async () => {
  storage = await testObjectStorage(['reports']);
});
afterAll(() => storage?.stop());

const MIB = 2 ** 20;
/** Most memory that the program has had, in MiB, since it was asked last. */
function peak(): number {
  const text = readFileSync(`/proc/${storage.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) / 1024;
}
const url = (path: string): string => `${storage.url}/reports${path}`;

/** All of these, so many at once. */
async function each(count: number, atOnce: number, one: (nth: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const nth = next;
      next += 1;
      await one(nth);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

test('100,000 keys, of which half lie in one folder, are listed in pages with the memory of a page', async () => {
  const owner = storage.owner('reports');
  const keys = Array.from({ length: 100_000 }, (_, nth) => {
    const number = String(nth).padStart(6, '0');
    return nth % 2 === 0 ? `flat/${number}` : `tree/${number.slice(0, 2)}/${number.slice(2, 4)}/${number}`;
  }).sort();
  const started = performance.now();
  await each(keys.length, 32, async (nth) => {
    const answer = await owner.fetch(url(`/${keys[nth]}`), { method: 'PUT', body: 'x' });
    if (answer.status !== 200) throw new Error(`${keys[nth]}: ${answer.status} ${await answer.text()}`);
  });
  const written = (performance.now() - started) / 1000;
  const afterWriting = peak();
  const found: string[] = [];
  const took: number[] = [];
  for (let token = ''; ; ) {
    const query = new URLSearchParams({ 'list-type': '2' });
    if (token !== '') query.set('continuation-token', token);
    const before = performance.now();
    const text = await (await owner.fetch(url(`?${query}`))).text();
    took.push(performance.now() - before);
    found.push(...elements(text, 'Key'));
    [token = ''] = elements(text, 'NextContinuationToken');
    if (token === '') break;
  }
  expect(found).toEqual(keys);
  const folders: string[] = [];
  for (let token = ''; ; ) {
    const query = new URLSearchParams({ 'list-type': '2', delimiter: '/', prefix: 'tree/', 'max-keys': '7' });
    if (token !== '') query.set('continuation-token', token);
    const text = await (await owner.fetch(url(`?${query}`))).text();
    folders.push(...elements(text, 'Prefix').filter((name) => name !== 'tree/'));
    [token = ''] = elements(text, 'NextContinuationToken');
    if (token === '') break;
  }
  expect(folders).toEqual([...new Set(keys.filter((key) => key.startsWith('tree/')).map((key) => key.slice(0, 8)))]);
  const sorted = took.toSorted((a, b) => a - b);
  console.log(
    `100,000 keys: written in ${written.toFixed(0)} s; ${took.length} pages, median ${sorted[took.length >> 1]?.toFixed(0)} ms, ` +
      `slowest ${sorted.at(-1)?.toFixed(0)} ms; memory at most ${afterWriting.toFixed(0)} MiB after writing, ${peak().toFixed(0)} MiB after listing`,
  );
  expect(peak()).toBeLessThan(200);
});

test('large objects, and several at once, take no memory of their size', async () => {
  const owner = storage.owner('reports');
  const body = new Uint8Array(256 * MIB).fill(7);
  await each(8, 4, async (nth) => {
    expect((await owner.fetch(url(`/large/${nth}`), { method: 'PUT', body })).status).toBe(200);
    const answer = await owner.fetch(url(`/large/${nth}`));
    let bytes = 0;
    for await (const part of answer.body ?? []) bytes += part.length;
    expect(bytes).toBe(body.length);
  });
  console.log(`2 GiB written and read, four at once: memory at most ${peak().toFixed(0)} MiB`);
  expect(peak()).toBeLessThan(220);
});

test('a body that stands still is cut off, and connections that say nothing are; meanwhile others are served', async () => {
  const owner = storage.owner('reports');
  const ended: Promise<void>[] = [];
  const idle = (text: string): void => {
    const socket = connect(storage.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    ended.push(new Promise((resolve) => socket.once('close', () => resolve())));
    socket.write(text);
  };
  for (let nth = 0; nth < 100; nth += 1) {
    idle('GET /reports HTTP/1.1\r\nHost: x\r\n');
    idle('PUT /reports/stalled HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nsome');
  }
  expect((await owner.fetch(url('/served'), { method: 'PUT', body: 'x' })).status).toBe(200);
  await Promise.all(ended);
  expect(storage.logged()).not.toMatch(/panic/i);
});

test('who reads public objects without end keeps nobody away who signs', async () => {
  const owner = storage.owner('reports');
  const statement = {
    Effect: 'Allow',
    Principal: '*',
    Action: 's3:GetObject',
    Resource: 'arn:aws:s3:::reports/public/*',
  };
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  expect((await owner.fetch(url('?policy'), { method: 'PUT', body: policy })).status).toBe(204);
  await owner.fetch(url('/public/large'), { method: 'PUT', body: new Uint8Array(64 * MIB) });
  await owner.fetch(url('/public/small'), { method: 'PUT', body: 'small' });
  const sockets = Array.from({ length: 64 }, () => {
    const socket = connect(storage.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.pause();
    socket.write('GET /reports/public/large HTTP/1.1\r\nHost: x\r\n\r\n');
    return socket;
  });
  const busy = await until('a reader without a signature is told to come later', 60, async () => {
    const { status } = await fetch(url('/public/small'));
    return status === 503 ? status : undefined;
  });
  expect(busy).toBe(503);
  expect(await (await owner.fetch(url('/public/small'))).text()).toBe('small');
  for (const socket of sockets) socket.destroy();
});
