import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { victoriaLogs } from '../../../runtime/service/src/collector/search/victoria-logs.ts';
import type { ContainerFiles } from '../../support/logs/log-services.ts';
import {
  arrived,
  criLine as line,
  podFiles,
  SEARCHED_JOB,
  shipping,
  type TestShipper,
  textsOf,
} from '../../support/logs/shipping.ts';
import { type TestVictoriaLogs, testVictoriaLogs } from '../../support/logs/victoria-logs.ts';
import { runSeed, seeded } from '../../support/random.ts';
import { until } from '../../support/until.ts';

/*
 * Collector and VictoriaLogs, killed and away for long, with the real program on its real folder. DELOS_TEST_OUTAGE_SECONDS says for
 * how long it is away; 600 is what the platform promises.
 */

const OUTAGE_MS = 1_000 * Number(process.env.DELOS_TEST_OUTAGE_SECONDS ?? '20');

let store: TestVictoriaLogs;
let root: string;
let shipper: TestShipper | undefined;

beforeAll(async () => {
  store = await testVictoriaLogs();
});
afterAll(() => store?.stop());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'delos-search-'));
});
afterEach(async () => {
  await shipper?.end();
  shipper = undefined;
  rmSync(root, { recursive: true, force: true });
});

const ship = (node: string): TestShipper => {
  shipper = shipping(root, node, victoriaLogs({ url: store.url }));
  return shipper;
};
const service = (name: string, uid: string): ContainerFiles =>
  podFiles(root, `delos_${name}-7d9f8b6c5d-x7k2p_${uid}`, name);
const rounds = (from: number, to: number): readonly string[] =>
  Array.from({ length: to - from }, (_, each) => `round ${from + each}`);
const write = (log: ContainerFiles, texts: readonly string[]): void => {
  for (const text of texts) log.append(line(text));
};

test('lines come once and in full while collector and store are killed, over a rotation', async () => {
  const log = service('scheduler', 'uid-1');
  write(log, rounds(0, 10));
  await ship('rotated').end();
  ship('rotated');
  await arrived(store, 'rotated', rounds(0, 10));
  await shipper?.end();
  write(log, rounds(10, 15));
  log.rotate();
  write(log, rounds(15, 20));
  ship('rotated');
  await arrived(store, 'rotated', rounds(0, 20));
  await store.kill();
  write(log, rounds(20, 30));
  await store.up();
  await arrived(store, 'rotated', rounds(0, 30));
  expect(await textsOf(store, 'rotated')).toEqual(rounds(0, 30));
});

test('both are ended as soon as lines were sent: a new collector sends again what is gone, and nothing twice', async () => {
  const log = service('scheduler', 'uid-2');
  write(log, rounds(0, 50));
  const first = ship('both');
  await arrived(store, 'both', rounds(0, 50));
  write(log, rounds(50, 300));
  await until('all is sent', 30, async () => (first.counts.sent === 300 ? true : undefined), 5);
  await store.kill();
  await first.end();
  await store.up();
  const second = ship('both');
  await arrived(store, 'both', rounds(0, 300));
  expect(await textsOf(store, 'both')).toEqual(rounds(0, 300));
  await second.end();
  // Nor where the store lived on, and cannot tell yet of what it just took.
  write(log, rounds(300, 400));
  const third = ship('both');
  await until('all is sent', 30, async () => (third.counts.sent === 100 ? true : undefined), 5);
  await third.end();
  ship('both');
  write(log, rounds(400, 410));
  await arrived(store, 'both', rounds(0, 410));
  expect(await textsOf(store, 'both')).toEqual(rounds(0, 410));
});

test('forty seconds of SIGKILLs at any moment take no line, and double none', async () => {
  const random = seeded(runSeed());
  const log = service('agent', 'uid-3');
  let written = 0;
  let collector = ship('chaos');
  for (const end = Date.now() + 40_000; Date.now() < end; ) {
    for (const pause = Date.now() + random() * 4_000; Date.now() < pause; ) {
      write(log, rounds(written, written + 20));
      written += 20;
      await sleep(20);
    }
    await store.kill();
    if (random() < 0.3) {
      await collector.end();
      collector = ship('chaos');
    }
    await sleep(random() * 500);
    await store.up();
  }
  await arrived(store, 'chaos', rounds(0, written), 60);
  const found = await textsOf(store, 'chaos');
  expect(found.length).toBe(written);
  expect(new Set(found).size).toBe(written);
});

test('while it is down, what a Pod wrote that is gone is held, and what its node deleted is counted', async () => {
  const log = service('control-api', 'uid-4');
  const { counts } = ship('away');
  write(log, ['before']);
  await arrived(store, 'away', ['before']);
  await store.kill();
  write(log, ['waits']);
  write(podFiles(root, `delos-p-lab_${SEARCHED_JOB}_uid-5`, 'main'), ['short-lived']);
  const other = service('registry', 'uid-6');
  write(other, ['held open']);
  await sleep(6_000);
  other.rotate();
  const lost = line('in a file that is deleted');
  other.append(lost);
  await sleep(6_000);
  rmSync(join(root, `delos-p-lab_${SEARCHED_JOB}_uid-5`), { recursive: true });
  rmSync(join(root, 'delos_registry-7d9f8b6c5d-x7k2p_uid-6'), { recursive: true });
  await sleep(2_000);
  await store.up();
  const missing = `[delos] ${Buffer.byteLength(lost)} bytes are missing here: their node deleted them before they were read.`;
  const expected = ['before', 'waits', 'short-lived', 'held open', missing];
  await arrived(store, 'away', expected);
  expect([...(await textsOf(store, 'away'))].sort()).toEqual([...expected].sort());
  expect(counts.lost).toBe(Buffer.byteLength(lost));
});

/** Lines that are found; the same for tens of thousands. */
const found = async (node: string): Promise<number> =>
  Number((await store.query(`{node="${node}"} | stats count() as lines`))[0]?.lines);

test(
  'while it is down nothing is lost of what the node keeps, over a rotation',
  async () => {
    const log = service('control-api', 'uid-7');
    const written: string[] = [];
    const writeFor = async (ms: number): Promise<void> => {
      for (const end = Date.now() + ms; Date.now() < end; await sleep(10)) {
        const text = `${written.length} ${randomBytes(256).toString('hex')}`;
        written.push(text);
        log.append(line(text));
      }
    };
    const { counts } = ship('outage');
    await writeFor(2_000);
    await arrived(store, 'outage', ['one']);
    await store.kill();
    await writeFor(OUTAGE_MS / 2);
    log.rotate();
    await writeFor(OUTAGE_MS / 2);
    const came = Date.now();
    await store.up();
    await writeFor(2_000);
    await until('all is found', 120, async (last) => {
      const there = await found('outage');
      last([there, written.length]);
      return there >= written.length ? true : undefined;
    });
    const seconds = Math.round((Date.now() - came) / 1_000);
    console.log(
      `${written.length} lines after ${OUTAGE_MS / 1_000} s without VictoriaLogs; all there ${seconds} s later`,
    );
    const there = (await store.query(`{node="outage"} | fields _msg`)).map(({ _msg = '' }) => _msg);
    expect(there.length).toBe(written.length);
    expect(new Set(there)).toEqual(new Set(written));
    expect(counts.lost).toBe(0);
  },
  2 * OUTAGE_MS + 300_000,
);

test('beyond what the node keeps, a line says how many bytes are missing, exactly', async () => {
  const log = service('keycloak', 'uid-8');
  const { counts } = ship('beyond');
  write(log, ['the beginning']);
  await arrived(store, 'beyond', ['the beginning']);
  await store.kill();
  // What is open is read to its end, also when it was deleted.
  const held = line('the rest of the first file');
  log.append(held);
  const first = Buffer.byteLength(line('the beginning')) + Buffer.byteLength(held);
  for (let each = 0; each < 8; each += 1) {
    // As long as a kubelet needs, at the least, between two rotations.
    await sleep(11_000);
    log.rotate();
    write(log, rounds(500 * each, 500 * each + 500));
  }
  await sleep(6_000);
  const lost = log.deleted - first;
  expect(lost).toBeGreaterThan(0);
  await store.up();
  write(log, ['the end']);
  await until('the end is found', 60, async () =>
    (await textsOf(store, 'beyond')).includes('the end') ? true : undefined,
  );
  const texts = await textsOf(store, 'beyond');
  expect(texts).toContain('the rest of the first file');
  expect(texts).toContain(`[delos] ${lost} bytes are missing here: their node deleted them before they were read.`);
  expect(texts.filter((text) => text.startsWith('round '))).toEqual(rounds(1_500, 4_000));
  expect(counts.lost).toBe(lost);
}, 300_000);
