import { quantityOf, size } from '@delos/core';
import { z } from 'zod';
import type { DatabaseServer } from '../../base/database.ts';
import type { ServiceConstruct, ServiceDescriptor } from '../../base/service.ts';
import { MEMBER_ALERTS } from './alerts.ts';
import { externalForm } from './external-form.ts';
import { POSTGRES_USER } from './files.ts';
import { POSTGRES_RESOURCES, Postgres } from './postgres.ts';

const config = z
  .strictObject({
    storage: size.prefault('10Gi').describe('Size of its volume, when that is made'),
    replicas: z
      .union([z.literal(1), z.literal(3)])
      .default(1)
      .describe('1, or 3 members, each with a volume and a copy of all: any one may be lost'),
  })
  .prefault({});

/** The service that follows its log, further down in the list. */
export const ARCHIVE_SERVICE = 'database-archive';

/** The service that keeps databases. */
export const postgres: ServiceDescriptor<
  z.infer<typeof config>,
  ServiceConstruct & DatabaseServer,
  z.infer<(typeof externalForm)['config']>
> = {
  name: 'postgres',
  idea: 'PostgreSQL: the state of the platform',
  image: 'postgres',
  config,
  user: POSTGRES_USER,
  resources: POSTGRES_RESOURCES,
  alerts: [
    {
      name: 'DatabaseUnreachable',
      severity: 'critical',
      expr: 'delos_database_up < 1',
      for: '1m',
      summary: 'PostgreSQL does not answer the control API',
    },
    {
      name: 'DatabaseConnectionsShort',
      severity: 'warning',
      expr: 'min_over_time(delos_database_connections{state="waiting"}[5m]) > 0',
      for: '5m',
      summary: 'The control API waits for connections to PostgreSQL',
    },
    {
      name: 'DatabaseVolumeNearlyFull',
      severity: 'critical',
      // What else is there has bounds: the log half a GiB, and an eighth of the volume for who follows it; Keycloak's events 90 days.
      expr: 'max by (job) (delos_database_bytes) > 0.7 * max by (job) (delos_database_volume_bytes)',
      for: '10m',
      summary: 'The volume of PostgreSQL is nearly full: when it is, nothing is accepted any more',
    },
  ],
  panels: [
    {
      title: 'Connections to the database',
      unit: 'count',
      series: [{ expr: 'sum by (job, state) (delos_database_connections)', legend: '{{job}}: {{state}}' }],
    },
    {
      title: 'Size of the database',
      unit: 'bytes',
      series: [
        { expr: 'max(delos_database_bytes)', legend: 'size' },
        { expr: 'max(delos_database_volume_bytes)', legend: 'volume' },
      ],
    },
  ],
  diesWithNode: 'it runs once, on one volume',
  members: { count: ({ replicas }) => replicas, image: 'patroni', metrics: { port: 'patroni' }, alerts: MEMBER_ALERTS },
  backup: {
    save: [
      ...['pg_basebackup', '--host=/var/run/postgresql', '--username=postgres', '--no-password'],
      // All databases as of one instant, with the log that a start from it needs.
      ...['--pgdata=-', '--format=tar', '--wal-method=fetch', '--checkpoint=fast', '--no-manifest'],
    ],
    claim: 'data',
    folder: 'pgdata',
  },
  external: externalForm,
  build: (scope, { own, namespace, image, resources, services, config: { cluster }, context: { apiServer } }) =>
    new Postgres(scope, 'postgres', {
      namespace,
      image,
      ...(own.replicas === 1 ? {} : { members: { replicas: own.replicas, image, apiServer } }),
      user: postgres.user,
      resources,
      size: String(quantityOf(own.storage)),
      storageClass: cluster.storageClass,
      followed: services.some(({ name }) => name === ARCHIVE_SERVICE),
    }),
};
