import { z } from 'zod';
import type { ServiceDescriptor } from '../../base/service.ts';
import { metricsProxy } from '../metrics-proxy/index.ts';
import { Grafana, LOGIN_PATH } from './grafana.ts';
import { GRAFANA_PATH } from './settings.ts';

const config = z.strictObject({}).prefault({});

/** The service that draws metrics. */
export const grafana: ServiceDescriptor<z.infer<typeof config>, Grafana> = {
  name: 'grafana',
  idea: 'Grafana: dashboards, each user sees the own projects',
  image: 'grafana',
  config,
  user: 60634,
  resources: { cpu: '50m', memory: '128Mi', memoryLimit: '512Mi' },
  needs: [metricsProxy],
  optional: true,
  database: 'grafana',
  login: { title: 'Dashboards', paths: [LOGIN_PATH] },
  routes: [{ paths: [GRAFANA_PATH, `${GRAFANA_PATH}/*`], port: 'http' }],
  metrics: { port: 'http' },
  alerts: [
    {
      name: 'DashboardsFail',
      severity: 'warning',
      expr: 'sum(rate(grafana_http_request_duration_seconds_count{status_code=~"5.."}[5m])) / sum(rate(grafana_http_request_duration_seconds_count[5m])) > 0.1',
      for: '10m',
      summary: 'More than one of ten requests to Grafana fails',
    },
  ],
  panels: [
    {
      title: 'Requests',
      unit: 'per-second',
      series: [
        {
          expr: 'sum by (status_code) (rate(grafana_http_request_duration_seconds_count[5m]))',
          legend: '{{status_code}}',
        },
      ],
      emptyUnless: 'the platform has Grafana',
    },
  ],
  build: (scope, at) => new Grafana(scope, 'grafana', { descriptor: grafana, at }),
};
