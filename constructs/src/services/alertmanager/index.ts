import { z } from 'zod';
import type { ServiceDescriptor } from '../../base/service.ts';
import { Alertmanager } from './alertmanager.ts';

const config = z.strictObject({}).prefault({});

/** The service that tells people what is wrong. */
export const alertmanager: ServiceDescriptor<z.infer<typeof config>, Alertmanager> = {
  name: 'alertmanager',
  idea: 'Alertmanager: tells people what is wrong',
  image: 'alertmanager',
  config,
  user: 60631,
  resources: { cpu: '10m', memory: '32Mi', memoryLimit: '128Mi' },
  dialsOut: { trustedBy: 'SSL_CERT_FILE' },
  metrics: { port: 'http' },
  alerts: [
    {
      name: 'NotificationsFail',
      severity: 'critical',
      expr: 'rate(alertmanager_notifications_failed_total[5m]) > 0',
      for: '10m',
      summary: 'Alerts do not get to those of {{ $labels.integration }} who shall be told',
    },
  ],
  panels: [
    {
      title: 'Alerts',
      unit: 'count',
      series: [{ expr: 'sum by (state) (alertmanager_alerts)', legend: '{{state}}' }],
    },
    {
      title: 'Messages',
      unit: 'per-second',
      series: [
        { expr: 'sum by (integration) (rate(alertmanager_notifications_total[5m]))', legend: '{{integration}}: sent' },
        {
          expr: 'sum by (integration) (rate(alertmanager_notifications_failed_total[5m]))',
          legend: '{{integration}}: failed',
        },
      ],
    },
  ],
  wanted: ({ monitoring }) => monitoring.enabled,
  late: true,
  build: (scope, at) => new Alertmanager(scope, 'alertmanager', { descriptor: alertmanager, at }),
};
