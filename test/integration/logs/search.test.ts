import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { linesIn, logsQl } from '../../../cli/src/commands/observe/search.ts';
import { containersIn } from '../../../runtime/service/src/collector/search/containers.ts';
import { elasticsearch } from '../../../runtime/service/src/collector/search/elasticsearch.ts';
import { loki } from '../../../runtime/service/src/collector/search/loki.ts';
import { Shipper } from '../../../runtime/service/src/collector/search/shipper.ts';
import type { LogSink, SearchLine } from '../../../runtime/service/src/collector/search/sink.ts';
import { victoriaLogs } from '../../../runtime/service/src/collector/search/victoria-logs.ts';
import { type ContainerFiles, containerFiles } from '../../support/logs/log-services.ts';
import { type TestVictoriaLogs, testVictoriaLogs } from '../../support/logs/victoria-logs.ts';
import { quiet } from '../../support/service/postgres.ts';
import { until } from '../../support/until.ts';

/* Lines of a node's containers on their way into the real VictoriaLogs, and found there again. */

const JOB = 'job-00000000-0000-4000-8000-000000000001';
const FACTS = { organization: 'lab', project: 'speech', user: 'ann' };

let store: TestVictoriaLogs;
let root: string;
let stop: AbortController;
let running: Promise<void>;

beforeAll(async () => {
  store = await testVictoriaLogs();
});
afterAll(() => store?.stop());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'delos-search-'));
  stop = new AbortController();
  running = Promise.resolve();
});
afterEach(async () => {
  await end();
  rmSync(root, { recursive: true, force: true });
});

/** Each test has a node of its own, so that none finds lines of another. */
let nodes = 0;
function ship(
  sink: LogSink = victoriaLogs({ url: store.url }),
  node = `node-${++nodes}`,
): { readonly node: string; readonly counts: Record<'sent' | 'resent' | 'refused' | 'lost', number> } {
  stop = new AbortController();
  const counts = { sent: 0, resent: 0, refused: 0, lost: 0 };
  const shipper = new Shipper({
    root,
    node,
    sink,
    log: quiet,
    counts: {
      sent: (lines) => {
        counts.sent += lines;
      },
      resent: (lines) => {
        counts.resent += lines;
      },
      refused: ({ lines }) => {
        counts.refused += lines;
      },
      lost: (bytes) => {
        counts.lost += bytes;
      },
    },
    factsOf: async (id) => (id === JOB ? FACTS : undefined),
  });
  running = shipper.run(stop.signal);
  return { node, counts };
}
async function end(): Promise<void> {
  stop.abort();
  await running;
}

let count = 0;
/** A line of now: what is older than a store keeps is not taken. */
const line = (text: string, tag = 'F', output = 'stdout'): string => {
  count += 1;
  return `${new Date().toISOString().replace('Z', String(count % 1_000_000).padStart(6, '0'))}Z ${output} ${tag} ${text}\n`;
};
const files = (pod: string, container: string): ContainerFiles => containerFiles(join(root, pod, container));
const texts = async (node: string, more = '*'): Promise<readonly string[]> =>
  (await store.query(`{node="${node}"} ${more} | sort by (_time)`)).map(({ _msg = '' }) => _msg);
const arrive = (node: string, expected: readonly string[]): Promise<true> =>
  until('the lines are found', 30, async (last) => {
    const there = await texts(node);
    last(there);
    return there.length >= expected.length ? true : undefined;
  });

describe('lines of platform and jobs', () => {
  test('are found with whose they are, also after their Pod has gone', async () => {
    const job = files(`delos-p-lab_${JOB}_uid-1`, 'main');
    const api = files('delos_control-api-7d9f8b6c5d-x7k2p_uid-2', 'control-api');
    const other = files('kube-system_coredns-7d9f8b6c5d-x7k2p_uid-3', 'coredns');
    job.append(line('loss 0.25'));
    job.append(line('a long ', 'P') + line('line', 'F') + line('oops', 'F', 'stderr'));
    api.append(line('{"level":"info"} listens'));
    other.append(line('not ours'));
    const { node } = ship();
    await arrive(node, ['loss 0.25', 'a long line', 'oops', 'listens']);
    rmSync(join(root, `delos-p-lab_${JOB}_uid-1`), { recursive: true });
    const question = logsQl({ search: 'LOSS 0.2', job: JOB, project: 'speech', user: 'ann', since: '1h' });
    const [found] = linesIn((await store.query(question)).map((row) => JSON.stringify(row)).join('\n'));
    expect(found).toMatchObject({ _msg: 'loss 0.25', job: JOB, node, output: 'stdout', organization: 'lab' });
    expect(await texts(node)).toEqual(['loss 0.25', 'a long line', 'oops', '{"level":"info"} listens']);
    expect(await store.query(logsQl({ search: 'listens', service: 'control-api' }))).toHaveLength(1);
    expect(await store.query(logsQl({ search: 'loss 0.25', user: 'bob' }))).toEqual([]);
    expect(await store.query(logsQl({ search: 'loss 0x25' }))).toEqual([]);
  });

  test('come once and in full while collector and store are killed, over a rotation', async () => {
    const api = files('delos_scheduler-7d9f8b6c5d-x7k2p_uid-4', 'scheduler');
    const expected = Array.from({ length: 30 }, (_, each) => `round ${each}`);
    const write = (from: number, to: number): void => {
      for (const text of expected.slice(from, to)) api.append(line(text));
    };
    write(0, 10);
    const { node } = ship();
    await arrive(node, expected.slice(0, 10));
    await end();
    write(10, 15);
    api.rotate();
    write(15, 20);
    ship(undefined, node);
    await arrive(node, expected.slice(0, 20));
    await store.kill();
    write(20, 30);
    await store.up();
    await arrive(node, expected);
    expect(await texts(node)).toEqual(expected);
  });
});

describe('what VictoriaLogs had in its memory', () => {
  const ofScheduler = (uid: string): ContainerFiles =>
    files(`delos_scheduler-7d9f8b6c5d-x7k2p_${uid}`, 'scheduler');
  const rounds = (from: number, to: number): readonly string[] =>
    Array.from({ length: to - from }, (_, each) => `round ${from + each}`);

  test('is sent again after its SIGKILL, once, though nothing more is written', async () => {
    const log = ofScheduler('uid-5');
    const expected = [...rounds(0, 400), ''];
    for (const text of expected) log.append(line(text));
    const { node, counts } = ship();
    await until('all is sent', 30, async () => (counts.sent === expected.length ? true : undefined), 5);
    await store.kill();
    await store.up();
    await arrive(node, expected);
    expect((await texts(node)).map((text) => text.trim())).toEqual(expected);
    expect(counts).toMatchObject({ sent: expected.length, refused: 0, lost: 0 });
    expect(counts.resent).toBeGreaterThan(0);
  });

  test('is sent again by a new collector, once, where both were ended as soon as it was sent', async () => {
    const log = ofScheduler('uid-6');
    for (const text of rounds(0, 50)) log.append(line(text));
    const first = ship();
    await arrive(first.node, rounds(0, 50));
    for (const text of rounds(50, 300)) log.append(line(text));
    await until('all is sent', 30, async () => (first.counts.sent === 300 ? true : undefined), 5);
    await store.kill();
    await end();
    await store.up();
    ship(undefined, first.node);
    await arrive(first.node, rounds(0, 300));
    expect(await texts(first.node)).toEqual(rounds(0, 300));
    await end();
    // Nor twice where the store lived on, and cannot tell yet of what it just took.
    for (const text of rounds(300, 400)) log.append(line(text));
    const third = ship(undefined, first.node);
    await until('all is sent', 30, async () => (third.counts.sent === 100 ? true : undefined), 5);
    await end();
    ship(undefined, first.node);
    for (const text of rounds(400, 410)) log.append(line(text));
    await arrive(first.node, rounds(0, 410));
    expect(await texts(first.node)).toEqual(rounds(0, 410));
  });
});

describe('while VictoriaLogs is down', () => {
  test('what a Pod wrote that is gone is held, and what its node deleted is counted', async () => {
    const api = files('delos_control-api-7d9f8b6c5d-x7k2p_uid-7', 'control-api');
    const { node, counts } = ship();
    api.append(line('before'));
    await arrive(node, ['before']);
    await store.kill();
    api.append(line('waits'));
    const job = files(`delos-p-lab_${JOB}_uid-8`, 'main');
    job.append(line('short-lived'));
    const other = files('delos_registry-7d9f8b6c5d-x7k2p_uid-9', 'registry');
    other.append(line('held open'));
    await sleep(6_000);
    const lostLine = line('in a file that is deleted');
    other.rotate();
    other.append(lostLine);
    await sleep(6_000);
    for (const pod of [`delos-p-lab_${JOB}_uid-8`, 'delos_registry-7d9f8b6c5d-x7k2p_uid-9']) {
      rmSync(join(root, pod), { recursive: true });
    }
    await sleep(2_000);
    await store.up();
    const missing = `[delos] ${Buffer.byteLength(lostLine)} bytes are missing here: their node deleted them before they were read.`;
    const expected = ['before', 'waits', 'short-lived', 'held open', missing];
    await arrive(node, expected);
    expect([...(await texts(node))].sort()).toEqual([...expected].sort());
    expect(counts.lost).toBe(Buffer.byteLength(lostLine));
  });
});

describe('other stores', () => {
  const lines: readonly SearchLine[] = ['one', 'two'].map((text) => ({
    time: line('').split(' ')[0] ?? '',
    text,
    output: 'stdout',
    labels: { node: 'other', namespace: 'delos', pod: 'p', pod_uid: 'u', container: 'c', service: 's', job: JOB },
  }));
  test.each([
    ['Loki’s push API', (url: string) => loki({ url: `${url}/insert` }), 'loki'],
    [
      'Elasticsearch’s bulk API',
      (url: string) =>
        elasticsearch(
          {
            url: `${url}/insert/elasticsearch?_msg_field=message&_time_field=@timestamp&_stream_fields=node,namespace,pod,container`,
          },
          'delos-logs',
        ),
      'elasticsearch',
    ],
  ])(
    '%s is spoken, as VictoriaLogs understands it (no Loki nor Elasticsearch was there)',
    async (_what, sinkOf, node) => {
      const labelled = lines.map((each) => ({ ...each, labels: { ...each.labels, node } }));
      await sinkOf(store.url).send(labelled);
      await arrive(node, ['one', 'two']);
      const rows = await store.query(`{node="${node}"} | sort by (_time)`);
      expect(rows).toMatchObject([
        { _msg: 'one', namespace: 'delos', pod: 'p', container: 'c', job: JOB, output: 'stdout' },
        { _msg: 'two' },
      ]);
      expect(rows.map(({ _time = '' }) => Date.parse(_time))).toEqual(lines.map(({ time }) => Date.parse(time)));
    },
  );

  test('one that refuses is told with its own words', async () => {
    const nowhere = { url: `${store.url}/nowhere` };
    await expect(elasticsearch(nowhere, 'i').send(lines)).rejects.toThrow(/it answered 400: .*unsupported path/);
    // Of Loki that status says that it took what it could.
    expect(await loki(nowhere).send(lines)).toEqual({ lines: 2, why: expect.stringContaining('it answered 400') });
  });
});

test('of a node’s containers, those of the platform and of jobs are taken, each with its service', async () => {
  for (const name of ['delos_postgres-0_u', 'delos-node_collector-x7k2p_u', `delos-p_${JOB}_u`, 'default_web-1_u']) {
    mkdirSync(join(root, name, name.startsWith('delos-p') ? 'main' : 'own'), { recursive: true });
  }
  const found = (await containersIn(root, 'n')).map(({ labels: { service, container }, jobId }) => [
    service,
    container,
    jobId,
  ]);
  expect(found.sort()).toEqual(
    [
      ['collector', 'own', undefined],
      ['postgres', 'own', undefined],
      [undefined, 'main', JOB],
    ].sort(),
  );
});
