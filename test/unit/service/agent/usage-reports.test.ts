import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { JOB_LABEL, type UsageReport } from '@delos/core';
import type { KubeClient } from '@delos/kube';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CONTAINER } from '../../../../runtime/service/src/agent/container-name.ts';
import { type Pod, podShape } from '../../../../runtime/service/src/agent/jobs/pod-shape.ts';
import { UsageReports } from '../../../../runtime/service/src/agent/jobs/usage-reports.ts';
import { plainClient } from '../../../support/kube/plain-client.ts';

let server: Server;
let client: KubeClient;
let asked: string[];
let answer: { readonly status: number; readonly items: (path: string) => readonly unknown[] };
const sent: UsageReport[] = [];

beforeEach(async () => {
  asked = [];
  sent.splice(0);
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ kind: 'PodMetricsList', items: answer.items(request.url ?? '') }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = plainClient((server.address() as AddressInfo).port);
});
afterEach(async () => {
  client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const pod = (namespace: string, name: string, state: object = { running: {} }): Pod =>
  podShape.parse({
    metadata: { name, namespace, uid: `uid-${name}` },
    spec: { containers: [{ name: CONTAINER }] },
    status: { containerStatuses: [{ name: CONTAINER, state }] },
  });
const ID = { a: 'job-00000000-0000-4000-8000-00000000000a', b: 'job-00000000-0000-4000-8000-00000000000b' };
const metrics = (name: string, second: number) => ({
  metadata: { name },
  timestamp: `2026-01-01T00:00:${String(second).padStart(2, '0')}Z`,
  containers: [{ name: CONTAINER, usage: { cpu: '250m', memory: '1Mi' } }],
});
const usage = (second: number) => ({ cpu: 0.25, memory_bytes: 2 ** 20, timestamp: 1_767_225_600 + second });

const reports = (pods: readonly Pod[]): UsageReports =>
  new UsageReports({
    client,
    pods: () => pods,
    send: (report) => sent.push(report),
    connected: () => true,
    log: pino({ level: 'silent' }),
  });

test('each project’s namespace is asked once, and each measurement told once', async () => {
  answer = { status: 200, items: (path) => [metrics(path.includes('/one/') ? ID.a : ID.b, 10)] };
  const agent = reports([pod('one', ID.a), pod('one', 'job-not-measured'), pod('two', ID.b)]);
  expect(await agent.report()).toBe(true);
  expect(asked).toEqual(
    ['one', 'two'].map(
      (name) => `/apis/metrics.k8s.io/v1beta1/namespaces/${name}/pods?labelSelector=${encodeURIComponent(JOB_LABEL)}`,
    ),
  );
  expect(sent).toEqual([
    {
      type: 'usage',
      jobs: [
        { id: ID.a, usage: usage(10) },
        { id: ID.b, usage: usage(10) },
      ],
    },
  ]);
  await agent.report();
  expect(sent).toHaveLength(1);
  answer = {
    status: 200,
    items: (path) => [metrics(path.includes('/one/') ? ID.a : ID.b, path.includes('/one/') ? 25 : 10)],
  };
  await agent.report();
  expect(sent[1]?.jobs).toEqual([{ id: ID.a, usage: usage(25) }]);
});

test('what does not run is neither asked about nor told', async () => {
  answer = { status: 200, items: () => [metrics(ID.a, 10), metrics('somebody-else', 10)] };
  expect(await reports([pod('one', ID.a, { terminated: { exitCode: 0 } })]).report()).toBe(true);
  expect(asked).toEqual([]);
  await reports([pod('one', ID.b)]).report();
  expect(sent).toEqual([]);
});

test('a cluster that measures nothing is known by that, and other trouble is no such sign', async () => {
  answer = { status: 404, items: () => [] };
  expect(await reports([pod('one', ID.a)]).report()).toBe(false);
  answer = { status: 503, items: () => [] };
  await expect(reports([pod('one', ID.a)]).report()).rejects.toThrow();
});
