import type { ServiceDescriptor } from '../../base/service.ts';
import { controlApi } from '../control-api/index.ts';
import { Charts, DATA, HTTP, PATH } from './charts.ts';
import { type ChartsSection, chartsSection } from './section.ts';

const MIB = 2 ** 20;
/** A chart and its signature (artifacts/go/depot/cmd/depot/chart.go), and what a form puts around them. */
const MAX_UPLOAD_BYTES = 22 * MIB;

/** Archives get their names when they are whole. tar ends with 1 for what went while it walked. */
const SAVE = `cd ${DATA} && { tar --create --file=- --exclude=.new-* --exclude=lost+found . || [ $? -eq 1 ]; }`;

/** The service that keeps charts of Helm. */
export const charts: ServiceDescriptor<ChartsSection, Charts> = {
  name: 'charts',
  idea: 'the chart repository: charts of Helm, an index for each project',
  image: 'charts',
  config: chartsSection,
  user: 60616,
  resources: { cpu: '10m', memory: '24Mi', memoryLimit: '256Mi' },
  needs: [controlApi],
  optional: true,
  late: true,
  ports: { http: HTTP },
  diesWithNode: 'it runs once, on one volume',
  backup: { save: ['/bin/sh', '-c', SAVE], claim: 'data', folder: '.' },
  routes: [{ paths: [`${PATH}/*`], port: 'http', maxBodyBytes: MAX_UPLOAD_BYTES }],
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'ChartFailures',
      severity: 'warning',
      expr: 'sum by (job) (rate(delos_charts_requests_total{status=~"5.."}[5m])) / sum by (job) (rate(delos_charts_requests_total[5m])) > 0.05',
      for: '10m',
      summary: 'The chart repository answers more than one request of twenty with an error of its own',
    },
    {
      name: 'ChartVolumeNearlyFull',
      severity: 'warning',
      expr: 'delos_charts_volume_free_bytes / delos_charts_volume_bytes < 0.1',
      for: '10m',
      summary: 'The volume of the chart repository is nearly full: soon no chart can be uploaded',
    },
  ],
  panels: [
    {
      title: 'Requests',
      unit: 'per-second',
      series: [{ expr: 'sum by (status) (rate(delos_charts_requests_total[5m]))', legend: '{{status}}' }],
      emptyUnless: 'somebody has asked it',
    },
    {
      title: 'Space',
      unit: 'bytes',
      series: [
        { expr: 'delos_charts_volume_bytes', legend: 'size' },
        { expr: 'delos_charts_volume_free_bytes', legend: 'free' },
      ],
    },
    {
      title: 'Charts by project',
      unit: 'bytes',
      series: [{ expr: 'topk(10, delos_charts_project_bytes)', legend: '{{project}}' }],
      emptyUnless: 'a project has charts',
    },
  ],
  build: (scope, at) => new Charts(scope, 'charts', { descriptor: charts, at }),
};
