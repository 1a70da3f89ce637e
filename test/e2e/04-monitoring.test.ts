import { dashboardsOf } from '@delos/constructs';
import { METRICS_PATH, PLATFORM_NAMESPACE } from '@delos/core';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { kubectl, testPlatform, token } from '../support/instance.ts';
import { TEST_SERVICES } from '../support/test-services.ts';
import { until } from '../support/until.ts';

/* Prometheus and Alertmanager as they run in the platform, asked through the API server. */

const PROXY = `/api/v1/namespaces/${PLATFORM_NAMESPACE}/services`;
const ask = async <T>(schema: z.ZodType<T>, path: string): Promise<T> =>
  schema.parse(JSON.parse(await kubectl(['get', '--raw', `${PROXY}/${path}`])));
const query = async (text: string): Promise<readonly z.infer<typeof series>[]> =>
  (await ask(answer, `prometheus:http/proxy/api/v1/query?query=${encodeURIComponent(text)}`)).data.result;

const series = z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) });
const answer = z.object({ data: z.object({ result: z.array(series) }) });
const targets = z.object({
  data: z.object({
    activeTargets: z.array(
      z.object({ labels: z.object({ job: z.string() }), health: z.string(), lastError: z.string() }),
    ),
  }),
});
const rules = z.object({
  data: z.object({
    groups: z.array(
      z.object({
        rules: z.array(z.looseObject({ name: z.string(), health: z.string(), lastError: z.string().optional() })),
      }),
    ),
  }),
});

/** Asks as a user, at the platform's own address. */
async function asking(user: string): Promise<(text: string) => ReturnType<typeof query>> {
  const { apiUrl } = await testPlatform();
  const headers = { authorization: `Bearer ${await token(user)}` };
  const url = `${new URL(apiUrl).origin}${METRICS_PATH}/api/v1/query`;
  return async (text) => {
    const answered = await fetch(`${url}?${new URLSearchParams({ query: text })}`, { headers });
    return answer.parse(await answered.json()).data.result;
  };
}

describe('monitoring', () => {
  beforeAll(async () => {
    await testPlatform();
  });

  test('every part that has metrics is asked for them and answers, Pod by Pod', async () => {
    const expected = TEST_SERVICES.filter(({ metrics }) => metrics !== undefined).map(({ name }) => name);
    const found = await until('all targets are up', 90, async (last) => {
      const { activeTargets } = (await ask(targets, 'prometheus:http/proxy/api/v1/targets')).data;
      last(activeTargets);
      const jobs = new Set(activeTargets.map(({ labels }) => labels.job));
      const up = activeTargets.every(({ health }) => health === 'up');
      return up && jobs.size === expected.length ? jobs : undefined;
    });
    expect([...found].sort()).toEqual(expected.sort());
  });

  test('every rule is evaluated without an error', async () => {
    const all = await until('every rule was evaluated', 90, async () => {
      const { groups } = (await ask(rules, 'prometheus:http/proxy/api/v1/rules')).data;
      const flat = groups.flatMap((group) => group.rules);
      return flat.every(({ health }) => health !== 'unknown') ? flat : undefined;
    });
    expect(all.filter(({ health }) => health !== 'ok')).toEqual([]);
  });

  test('Keycloak, Redis, PostgreSQL and the node tell what rules ask of them', async () => {
    for (const metric of [
      'sum by (job) (jvm_memory_used_bytes{area="heap"}) / sum by (job) (jvm_memory_max_bytes{area="heap"})',
      'delos_cache_up == 1',
      'delos_database_up == 1',
      'delos_database_bytes > 1e6',
      'delos_scheduler_leads == 1',
      'delos_api_agents == 1',
      'delos_uplink_connected{job="collector"} == 1',
      'sum by (job) (caddy_http_request_duration_seconds_count) > 0',
      'node:memory_used:ratio{node="node-1"} < 1',
      'node:disk_used:ratio{node="node-1"} < 1',
    ]) {
      await until(metric, 90, async () => ((await query(metric)).length > 0 ? true : undefined));
    }
  });

  test('on a platform that has just come up, nothing is found wrong but what is not there yet', async () => {
    // How full this machine's disk and memory are is not the platform's doing.
    expect(await query('ALERTS{alertname!~"ServiceDown|Node.*|.*VolumeNearlyFull"}')).toEqual([]);
    await until('every part is there', 180, async (last) => {
      const down = await query('ALERTS{alertname="ServiceDown"}');
      last(down.map(({ metric }) => metric));
      return down.length === 0 ? true : undefined;
    });
  });

  test('every panel of every dashboard shows something, but for those that say when they show nothing', async () => {
    const panels = dashboardsOf(TEST_SERVICES).flatMap((page) =>
      page.panels.map((panel) => ({ page: page.name, ...panel })),
    );
    expect(panels.length).toBeGreaterThan(40);
    const ask = await asking('admin');
    for (const { page, title, series, emptyUnless } of panels) {
      const found = async () => (await Promise.all(series.map(({ expr }) => ask(expr)))).flat().length > 0;
      if (emptyUnless !== undefined) await found();
      else await until(`${page}: ${title}`, 120, async () => ((await found()) ? true : undefined));
    }
  });

  test('by the platform’s own address a user sees the metrics of the own projects, and no others', async () => {
    const [ann, bob] = [await asking('ann'), await asking('bob')];
    const quotas = await until('the quotas are told', 60, async () => {
      const found = await ann('delos_project_quota');
      return found.length > 1 ? found : undefined;
    });
    expect([...new Set(quotas.map(({ metric }) => metric.project))].sort()).toEqual([
      'default/closed',
      'default/tight',
    ]);
    expect(await bob('{__name__=~".+"}')).toEqual([]);
  });

  test('no label of our own metrics is of a user or a job, and those of projects say whose they are', async () => {
    const found = await query('count by (__name__) ({__name__=~"delos_.+"})');
    expect(found.length).toBeGreaterThan(15);
    const labels = new Set((await query('{__name__=~"delos_.+"}')).flatMap(({ metric }) => Object.keys(metric)));
    const ours = [
      ...[
        '__name__',
        'answer',
        'code',
        'end',
        'instance',
        'job',
        'kind',
        'le',
        'method',
        'node',
        'of',
        'op',
        'outcome',
        'phase',
        'reason',
        'route',
        'service',
      ],
      ...['organization', 'pool', 'project', 'resource', 'state', 'status', 'why'],
    ];
    expect([...labels].filter((label) => !ours.includes(label))).toEqual([]);
  });

  test('Alertmanager is ready, and Prometheus hands alerts to it', async () => {
    const status = z.object({ config: z.object({ original: z.string() }) });
    expect((await ask(status, 'alertmanager:http/proxy/api/v2/status')).config.original).toContain('receiver: nobody');
    expect(await query('prometheus_notifications_alertmanagers_discovered == 1')).toHaveLength(1);
  });
});
