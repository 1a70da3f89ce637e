import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { foundLines, logsQl } from '@delos/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { containersIn } from '../../../runtime/service/src/collector/search/containers.ts';
import { elasticsearch } from '../../../runtime/service/src/collector/search/elasticsearch.ts';
import { loki } from '../../../runtime/service/src/collector/search/loki.ts';
import type { SearchLine } from '../../../runtime/service/src/collector/search/sink.ts';
import { victoriaLogs } from '../../../runtime/service/src/collector/search/victoria-logs.ts';
import type { ContainerFiles } from '../../support/logs/log-services.ts';
import {
  arrived,
  SEARCHED_JOB as JOB,
  criLine as line,
  podFiles,
  shipping,
  type TestShipper,
  textsOf,
} from '../../support/logs/shipping.ts';
import { type TestVictoriaLogs, testVictoriaLogs } from '../../support/logs/victoria-logs.ts';
import { until } from '../../support/until.ts';

/* Lines of a node's containers on their way into the real VictoriaLogs, and found there again. */

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

const files = (pod: string, container: string): ContainerFiles => podFiles(root, pod, container);
const ship = (node: string): TestShipper => {
  shipper = shipping(root, node, victoriaLogs({ url: store.url }));
  return shipper;
};

test('lines of platform and jobs are found with whose they are, also after their Pod has gone', async () => {
  const job = files(`delos-p-lab_${JOB}_uid-1`, 'main');
  const api = files('delos_control-api-7d9f8b6c5d-x7k2p_uid-2', 'control-api');
  const other = files('kube-system_coredns-7d9f8b6c5d-x7k2p_uid-3', 'coredns');
  job.append(line('loss 0.25'));
  job.append(line('a long ', 'P') + line('line', 'F') + line('oops', 'F', 'stderr'));
  api.append(line('{"level":"info"} listens'));
  other.append(line('not ours'));
  ship('labels');
  await arrived(store, 'labels', ['loss 0.25', 'a long line', 'oops', 'listens']);
  rmSync(join(root, `delos-p-lab_${JOB}_uid-1`), { recursive: true });
  const question = logsQl({ search: 'LOSS 0.2', job: JOB, project: 'speech', user: 'ann', since: '1h' });
  const [found] = foundLines((await store.query(question)).map((row) => JSON.stringify(row)).join('\n'));
  expect(found).toMatchObject({ _msg: 'loss 0.25', job: JOB, node: 'labels', output: 'stdout', organization: 'lab' });
  expect(await textsOf(store, 'labels')).toEqual(['loss 0.25', 'a long line', 'oops', '{"level":"info"} listens']);
  expect(await store.query(logsQl({ search: 'listens', service: 'control-api' }))).toHaveLength(1);
  expect(await store.query(logsQl({ search: 'loss 0.25', user: 'bob' }))).toEqual([]);
  expect(await store.query(logsQl({ search: 'loss 0.25', within: ['lab/vision', 'other/speech'] }))).toEqual([]);
  expect(await store.query(logsQl({ search: 'loss 0x25' }))).toEqual([]);
});

test('what VictoriaLogs had in its memory is sent again after its SIGKILL, once, though nothing more is written', async () => {
  const log = files('delos_scheduler-7d9f8b6c5d-x7k2p_uid-5', 'scheduler');
  const expected = [...Array.from({ length: 400 }, (_, each) => `round ${each}`), ''];
  for (const text of expected) log.append(line(text));
  const { counts } = ship('killed');
  await until('all is sent', 30, async () => (counts.sent === expected.length ? true : undefined), 5);
  await store.kill();
  await store.up();
  await arrived(store, 'killed', expected);
  expect((await textsOf(store, 'killed')).map((text) => text.trim())).toEqual(expected);
  expect(counts).toMatchObject({ sent: expected.length, refused: 0, lost: 0 });
  expect(counts.resent).toBeGreaterThan(0);
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
      await arrived(store, node, ['one', 'two']);
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
