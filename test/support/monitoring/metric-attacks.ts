import type { PlatformConfig } from '@delos/core';

/** A number that is told of one project alone, which others look for. */
export const HIDDEN_QUOTA = 424_242;
/** Its project. */
export const HIDDEN = 'other/hidden';

const METRIC = 'delos_project_quota';

/** A quota of a project is told as its metrics, whether it has jobs or not. */
export const withQuotas = (config: PlatformConfig): PlatformConfig => ({
  ...config,
  organizations: config.organizations.map((org) => ({
    ...org,
    projects: org.projects.map((project) => ({
      ...project,
      quota: { ...project.quota, cpu: `${org.name}/${project.name}` === HIDDEN ? HIDDEN_QUOTA : 11 },
    })),
  })),
});

/** PromQL by which somebody would see a series of another project, if the added matcher were not everywhere. */
const QUERIES: readonly string[] = [
  METRIC,
  `${METRIC}{project="${HIDDEN}"}`,
  `${METRIC}{project=~".*"}`,
  `${METRIC}{project!="acme/one"}`,
  `${METRIC}{project!~"acme/.*"}`,
  `${METRIC}{project="${HIDDEN}",project=~".+"}`,
  `{__name__=~"delos_project_.+"}`,
  `{__name__="${METRIC}",project=""} or ${METRIC}`,
  `{project="${HIDDEN}"}`,
  `{"${METRIC}", "project"="${HIDDEN}"}`,
  `sum(${METRIC})`,
  `max without (project) (${METRIC})`,
  `count by (project) (${METRIC})`,
  `topk(10, ${METRIC})`,
  `quantile(1, ${METRIC})`,
  `max_over_time(${METRIC}[5m])`,
  `max_over_time(${METRIC}[5m:10s])`,
  `max_over_time((max(${METRIC}))[5m:10s])`,
  `last_over_time({project="${HIDDEN}"}[5m] offset 1s)`,
  `${METRIC} @ end()`,
  `label_replace(${METRIC}, "project", "acme/one", "project", ".*")`,
  `label_join(${METRIC}, "x", "-", "project", "organization")`,
  `${METRIC} * on () group_left () vector(1)`,
  `vector(1) * on () group_right (project) ${METRIC}`,
  `-${METRIC}`,
  `scalar(max(${METRIC}))`,
  `vector(scalar(${METRIC}{project="${HIDDEN}",resource="cpu"}))`,
  `absent(${METRIC}{project="${HIDDEN}"}) or ${METRIC}`,
  `sort_desc(${METRIC} or up)`,
  `count_values("v", ${METRIC})`,
  `(((${METRIC})))`,
  `${METRIC} unless on (project) up`,
  `# a comment\n${METRIC}`,
  `${METRIC}{project=~"acme/one|${HIDDEN}"}`,
  `${METRIC}{"project"=~".*"}`,
  'up',
  'prometheus_build_info',
  'delos_pool_capacity or delos_scheduler_leads',
];

/** An attempt: a path after the proxy's own, and how it is asked. */
export interface Attack {
  readonly name: string;
  readonly path: string;
  readonly init?: RequestInit;
}

const query = (text: string): string => `query=${encodeURIComponent(text)}`;
const post = (body: string, type = 'application/x-www-form-urlencoded'): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'content-type': type },
});

/** Each way in which somebody might see what is not theirs. */
export function attacks(now: number): readonly Attack[] {
  const span = `start=${now - 60}&end=${now}&step=5`;
  const harmless = query('vector(1)');
  const evil = query(METRIC);
  return [
    ...QUERIES.map((text) => ({ name: text, path: `/api/v1/query?${query(text)}` })),
    ...QUERIES.map((text) => ({ name: `over time: ${text}`, path: `/api/v1/query_range?${query(text)}&${span}` })),
    { name: 'a query in the body', path: '/api/v1/query', init: post(evil) },
    { name: 'a second query', path: `/api/v1/query?${harmless}&${evil}` },
    { name: 'a query in the body beside that of the address', path: `/api/v1/query?${harmless}`, init: post(evil) },
    { name: 'a query in the address beside that of the body', path: `/api/v1/query?${evil}`, init: post(harmless) },
    {
      name: 'a body of another type',
      path: `/api/v1/query?${harmless}`,
      init: post(`{"query":"${METRIC}"}`, 'application/json'),
    },
    {
      name: 'a form in parts',
      path: '/api/v1/query',
      init: post(
        `--x\r\nContent-Disposition: form-data; name="query"\r\n\r\n${METRIC}\r\n--x--\r\n`,
        'multipart/form-data; boundary=x',
      ),
    },
    { name: 'series', path: `/api/v1/series?match[]=${encodeURIComponent(METRIC)}` },
    { name: 'series of another', path: `/api/v1/series?match[]=${encodeURIComponent(`{project="${HIDDEN}"}`)}` },
    {
      name: 'series by two matchers',
      path: `/api/v1/series?match[]=up&match[]=${encodeURIComponent(`{project=~".*"}`)}`,
    },
    { name: 'series in the body', path: '/api/v1/series', init: post(`match[]=${encodeURIComponent(METRIC)}`) },
    { name: 'values of the label', path: '/api/v1/label/project/values' },
    {
      name: 'values of another label',
      path: `/api/v1/label/organization/values?match[]=${encodeURIComponent(METRIC)}`,
    },
    { name: 'labels', path: `/api/v1/labels?match[]=${encodeURIComponent(`{project="${HIDDEN}"}`)}` },
    {
      name: 'the method in a header',
      path: `/api/v1/query?${harmless}`,
      init: { headers: { 'x-http-method-override': 'PUT' } },
    },
    ...[
      `/federate?match[]=${METRIC}`,
      '/api/v1/alerts',
      '/api/v1/rules',
      '/api/v1/targets',
      '/api/v1/status/config',
      '/api/v1/status/tsdb',
      '/api/v1/admin/tsdb/snapshot',
      `/api/v1/query_exemplars?${evil}`,
      '/api/v1/read',
      '/api/v1/write',
      `/api/v1/parse_query?${evil}`,
      `/api/v1/format_query?${evil}`,
      '/api/v1/notifications',
      '/api/v1/query/../status/config',
      '/api/v1/%2e%2e/v1/status/config',
      '/api/v1/label/%2e%2e%2fstatus/values',
      `//api/v1/query?${evil}`,
      `/api/v1/query/?${evil}`,
      '/metrics',
      '/graph',
      '',
    ].map((path) => ({ name: `not offered: ${path}`, path })),
  ];
}
