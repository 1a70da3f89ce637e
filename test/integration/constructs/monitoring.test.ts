import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { dashboardsOf, SERVICES as PLATFORM } from '@delos/constructs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { startGateway, type TestGateway } from '../../support/edge/gateway.ts';
import { SERVICES, type ServiceProcesses, startServices } from '../../support/edge/service-processes.ts';
import { type TestFiles, testFiles } from '../../support/files/file-storage.ts';
import { type GeneratedParts, generatedParts } from '../../support/monitoring/generated-parts.ts';
import { attacks, HIDDEN, HIDDEN_QUOTA, withQuotas } from '../../support/monitoring/metric-attacks.ts';
import { startMetricsProxy, type TestMetricsProxy } from '../../support/monitoring/metrics-proxy.ts';
import { type Monitoring, PROMETHEUS_URL, startMonitoring } from '../../support/monitoring/monitoring.ts';
import { type TestObjectStorage, testObjectStorage } from '../../support/objects/object-storage.ts';
import { TEST_CONFIG } from '../../support/service/control-api.ts';
import { until } from '../../support/until.ts';

/*
 * Alerts from end to end: our services, the gateway and node exporter answer for their metrics, Prometheus judges them by the
 * platform's rules, Alertmanager tells a webhook. Keycloak is not run here: it has no Pod, which is an alert as well.
 */

interface Told {
  readonly authorization: string | undefined;
  readonly alerts: readonly z.infer<typeof alert>[];
}

const alert = z.object({
  status: z.enum(['firing', 'resolved']),
  labels: z.looseObject({
    alertname: z.string(),
    job: z.string().optional(),
    severity: z.string(),
    cluster: z.string(),
  }),
  annotations: z.object({ summary: z.string(), runbook: z.string() }),
});

const told: Told[] = [];
let written = 0;
let hooks: Server;
let services: ServiceProcesses;
let gateway: TestGateway;
let storage: TestObjectStorage;
let files: TestFiles;
let parts: GeneratedParts;
let monitoring: Monitoring;
let proxy: TestMetricsProxy;

beforeAll(async () => {
  hooks = createServer((request, response) => {
    void listen(request).then(() => response.end());
  });
  await new Promise<void>((resolve) => hooks.listen(0, '127.0.0.1', resolve));
  const { port } = hooks.address() as AddressInfo;
  parts = generatedParts(`
notifications:
  webhooks: [{name: ops, url: 'http://127.0.0.1:${port}/alerts', token: {secret: {name: ops, key: token}}}]
services:
  objectStorage: {enabled: true}
  registry: {enabled: false}
  devpi: {enabled: false}
  prometheus:
    remoteWrite: [{url: 'http://127.0.0.1:${port}/write', user: delos, password: {secret: {name: store, key: password}}}]
`);
  // The collector tells of stores where logs are searched if there is one; it has no line for this one.
  const sinks = JSON.stringify([{ kind: 'loki', url: 'http://127.0.0.1:9' }]);
  services = await startServices(SERVICES, withQuotas(TEST_CONFIG), {
    DELOS_LOG_SINKS: sinks,
    // Less than a database has that is empty.
    DELOS_DATABASE_VOLUME_BYTES: String(2 ** 20),
  });
  storage = await testObjectStorage([]);
  files = await testFiles(`http://127.0.0.1:${services.publicPort}`);
  await files.up();
  gateway = await startGateway({ api: services.publicPort, identity: services.publicPort });
  const { api, ...internal } = services.internal;
  proxy = await startMetricsProxy(PROMETHEUS_URL, `http://127.0.0.1:${services.publicPort}`);
  monitoring = await startMonitoring(
    parts,
    {
      'control-api': api,
      ...internal,
      gateway: gateway.ports.internal,
      'object-storage': storage.internalPort,
      files: files.internalPort,
      'metrics-proxy': proxy.internalPort,
    },
    { 'ops/token': 'the-token', 'store/password': 'the-password' },
  );
  await fetch(`http://127.0.0.1:${gateway.ports.http}/api/v1/ping`);
  await fetch(storage.url);
  await fetch(`http://127.0.0.1:${files.port}`);
  await proxy.ask('', undefined);
});

afterAll(async () => {
  await monitoring?.stop();
  await proxy?.stop();
  await gateway?.stop();
  await storage?.stop();
  await files?.stop();
  await services?.stop();
  hooks?.close();
});

async function listen(request: IncomingMessage): Promise<void> {
  const body = await buffer(request);
  const { authorization } = request.headers;
  if (request.url === '/write') {
    const expected = `Basic ${Buffer.from('delos:the-password').toString('base64')}`;
    if (authorization === expected) written += body.length;
    return;
  }
  told.push({ authorization, alerts: z.object({ alerts: z.array(alert) }).parse(JSON.parse(body.toString())).alerts });
}

/** Waits for a message about this alert of this part. */
const toldOf = (name: string, job: string, status: 'firing' | 'resolved' = 'firing') =>
  until(`${name} of ${job} is told as ${status}`, 60, (last) => {
    last(
      told.flatMap(({ alerts }) => alerts.map((each) => `${each.status} ${each.labels.alertname} ${each.labels.job}`)),
    );
    return told
      .flatMap(({ authorization, alerts }) => alerts.map((each) => ({ authorization, ...each })))
      .find((each) => each.status === status && each.labels.alertname === name && each.labels.job === job);
  });

const groups = z.object({
  data: z.object({
    groups: z.array(
      z.object({
        rules: z.array(
          z.looseObject({ name: z.string(), query: z.string(), health: z.string(), lastError: z.string().optional() }),
        ),
      }),
    ),
  }),
});
const rulesNow = async () => groups.parse(await monitoring.ask('rules')).data.groups.flatMap(({ rules }) => rules);

/** Keycloak, what does nothing without it, and the router of jobs, which has no job here. */
const NOT_HERE = ['identity', 'job-router', 'keycloak'];

test('each part that is there is asked for its metrics, and answers', async () => {
  const targets = z.object({
    data: z.object({
      activeTargets: z.array(
        z.object({ labels: z.object({ job: z.string() }), health: z.string(), lastError: z.string() }),
      ),
    }),
  });
  const expected = [...parts.targets.keys()].filter((job) => !NOT_HERE.includes(job)).sort();
  expect(expected.length).toBeGreaterThan(7);
  await until('all targets are up', 60, async (last) => {
    const { activeTargets } = targets.parse(await monitoring.ask('targets')).data;
    last(activeTargets);
    const up = activeTargets.filter(({ health }) => health === 'up').map(({ labels }) => labels.job);
    return JSON.stringify(up.sort()) === JSON.stringify(expected) ? true : undefined;
  });
});

test('Prometheus takes every rule and evaluates it without an error', async () => {
  const rules = await until('all rules were evaluated', 60, async (last) => {
    const now = await rulesNow();
    last(now.filter(({ health }) => health === 'unknown').map(({ name }) => name));
    return now.every(({ health }) => health !== 'unknown') ? now : undefined;
  });
  expect(rules.length).toBeGreaterThan(20);
  expect(rules.filter(({ health }) => health !== 'ok').map(({ name, lastError }) => [name, lastError])).toEqual([]);
});

test('a database that is too large for its volume is found, and a volume of Prometheus that has room is not', async () => {
  const found = z.object({ data: z.object({ result: z.array(z.object({ metric: z.looseObject({}) })) }) });
  const ask = async (name: string) => {
    const query = `ALERTS{alertname="${name}"}`;
    return found.parse(await monitoring.ask('query', { query })).data.result.map(({ metric }) => metric);
  };
  expect(await until('it is found', 60, async () => (await ask('DatabaseVolumeNearlyFull'))[0])).toMatchObject({
    job: 'control-api',
    severity: 'critical',
  });
  expect(await ask('MetricsVolumeNearlyFull')).toEqual([]);
});

/** What parts tell that this test does not run. */
const OF_OTHERS = [
  'delos_cache_up',
  'delos_cluster_silent_seconds',
  'delos_credits_seconds_left',
  'delos_flow_bake_ended',
  'delos_flow_batch_failed',
  'delos_identity_drift_total',
  'delos_identity_provider_up',
  'delos_job_router_answers_total',
  'delos_job_router_questions_total',
  'delos_logs_refused',
  'delos_logs_stuck_seconds',
  'jvm_memory_max_bytes',
  'jvm_memory_used_bytes',
];

test('every metric that a rule names is one that a real part tells, but for those of Keycloak, its keeper, jobs with an address, joined clusters, credits, bakes, Redis and a bucket of logs', async () => {
  const selectors = new Set<string>();
  for (const { query } of await rulesNow()) {
    for (const name of namesIn(await monitoring.ask('parse_query', { query }))) selectors.add(name);
  }
  expect(selectors.size).toBeGreaterThan(20);
  const missing = await until(
    'each metric has been told once',
    60,
    async (last) => {
      const now: string[] = [];
      for (const name of selectors) {
        const answer = await monitoring.ask('query', { query: `count({__name__="${name}"})` });
        const { data } = z.object({ data: z.object({ result: z.array(z.unknown()) }) }).parse(answer);
        if (data.result.length === 0) now.push(name);
      }
      last(now);
      return now.every((name) => OF_OTHERS.includes(name)) ? now : undefined;
    },
    1_000,
  );
  expect(missing.sort()).toEqual([...OF_OTHERS].sort());
});

/** Names of metrics in a parsed query, wherever they stand. */
function namesIn(node: unknown): readonly string[] {
  if (typeof node !== 'object' || node === null) return [];
  const selector = z
    .looseObject({ type: z.literal(['vectorSelector', 'matrixSelector']), name: z.string().min(1) })
    .safeParse(node);
  return [...(selector.success ? [selector.data.name] : []), ...Object.values(node).flatMap(namesIn)];
}

test.each(dashboardsOf(PLATFORM).map((dashboard) => [dashboard.name, dashboard] as const))(
  'every query of the dashboard %s is taken',
  async (_name, { panels }) => {
    for (const { expr } of panels.flatMap(({ series }) => series)) await monitoring.ask('query', { query: expr });
  },
);

const FORBIDDEN = [HIDDEN, String(HIDDEN_QUOTA), 'prometheus_build_info', 'delos_scheduler_leads', '"up"'];

describe('metrics for users', () => {
  const ask = async (user: string, path: string, init?: RequestInit) =>
    proxy.ask(path, await services.token(user), init);
  const quotas = `/api/v1/query?${new URLSearchParams({ query: 'delos_project_quota{resource="cpu"}' })}`;

  beforeAll(async () => {
    await until('the quota is told', 60, async () => {
      const { text } = await ask('admin', quotas);
      return text.includes(String(HIDDEN_QUOTA)) ? true : undefined;
    });
  });

  test.each([
    ['admin', ['acme/one', 'acme/open', 'acme/tight', 'other/hidden']],
    ['alice', ['acme/one', 'acme/open', 'acme/tight']],
    ['rita', ['acme/one']],
    ['bob', ['other/hidden']],
    ['noel', []],
  ])('%s sees those of the projects that she or he may read', async (user, expected) => {
    const { status, text } = await ask(user, quotas);
    expect(status).toBe(200);
    const found = z
      .object({ data: z.object({ result: z.array(z.object({ metric: z.object({ project: z.string() }) })) }) })
      .parse(JSON.parse(text)).data.result;
    expect(found.map(({ metric }) => metric.project).sort()).toEqual(expected);
  });

  test('whatever is asked, nobody sees a series of another project or of the platform', async () => {
    let seenByAdmin = 0;
    for (const { name, path, init } of attacks(Date.now() / 1_000)) {
      const { status, text } = await ask('alice', path, init);
      const seen = FORBIDDEN.filter((word) => text.includes(word));
      expect({ name, seen }).toEqual({ name, seen: [] });
      expect(name.startsWith('not offered') ? [404] : [200, 400, 422]).toContain(status);
      const whole = await ask('admin', path, init);
      if (FORBIDDEN.some((word) => whole.text.includes(word))) seenByAdmin += 1;
    }
    // It is there to be seen.
    expect(seenByAdmin).toBeGreaterThan(60);
  });

  test('without a token, with a wrong one, by another method and with more than a query may be, it is refused', async () => {
    expect((await proxy.ask(quotas, undefined)).status).toBe(401);
    expect((await proxy.ask(quotas, 'x.y.z')).status).toBe(401);
    expect((await ask('alice', quotas, { method: 'DELETE' })).status).toBe(405);
    const long = new URLSearchParams({ query: `vector(1) # ${'x'.repeat(70_000)}` });
    expect((await ask('alice', '/api/v1/query', { method: 'POST', body: long })).status).toBe(400);
  });
});

test('a part of which there is no Pod is told to the webhook, with the token that lies in a file', async () => {
  expect(await toldOf('ServiceDown', 'keycloak')).toMatchObject({
    authorization: 'Bearer the-token',
    labels: { severity: 'critical', cluster: 'default' },
    annotations: { summary: 'keycloak does not answer', runbook: 'docs/runbooks/ServiceDown.md' },
  });
});

const active = z.object({
  data: z.object({ alerts: z.array(z.looseObject({ labels: z.looseObject({ job: z.string().optional() }) })) }),
});

test('a service that is killed is told to the webhook', async () => {
  // As Prometheus starts, it has found nobody yet, and nothing waits for two minutes here.
  await until('nothing is wrong with the collector', 60, async () => {
    const { alerts } = active.parse(await monitoring.ask('alerts')).data;
    return alerts.some(({ labels }) => labels.job === 'collector') ? undefined : true;
  });
  await until('that is told as well', 60, () => {
    const said = told.flatMap(({ alerts }) => alerts.filter(({ labels }) => labels.job === 'collector'));
    return said.at(-1)?.status === 'firing' ? undefined : true;
  });
  told.length = 0;
  await services.kill('collector');
  expect(await toldOf('ServiceDown', 'collector')).toMatchObject({
    labels: { severity: 'critical' },
    annotations: { summary: 'collector does not answer' },
  });
});

test('samples also go to the remote store, with the password that lies in a file', async () => {
  await until('samples arrive at the remote store', 60, () => (written > 0 ? true : undefined));
});
