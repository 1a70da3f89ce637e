import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { linesIn, logsQl } from '../../../cli/src/commands/observe/search.ts';
import { containersIn } from '../../../runtime/service/src/collector/search/containers.ts';
import { elasticsearch, loki, victoriaLogs } from '../../../runtime/service/src/collector/search/senders.ts';
import { Shipper } from '../../../runtime/service/src/collector/search/shipper.ts';
import type { LogSink, SearchLine } from '../../../runtime/service/src/collector/search/sink.ts';
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
): { readonly node: string; readonly shipper: Shipper } {
  stop = new AbortController();
  const shipper = new Shipper({
    root,
    node,
    sink,
    log: quiet,
    factsOf: async (id) => (id === JOB ? FACTS : undefined),
  });
  running = shipper.run(stop.signal);
  return { node, shipper };
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
    await expect(loki({ url: `${store.url}/nowhere` }).send(lines)).rejects.toThrow(/it answered 4\d\d: /);
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
