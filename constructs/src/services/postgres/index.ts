import { quantityOf, size } from '@delos/core';
import { z } from 'zod';
import type { DatabaseServer } from '../../base/database.ts';
import type { ServiceConstruct, ServiceDescriptor } from '../../base/service.ts';
import { externalForm } from './external-form.ts';
import { POSTGRES_USER } from './files.ts';
import { POSTGRES_RESOURCES, Postgres } from './postgres.ts';

const config = z
  .strictObject({ storage: size.prefault('10Gi').describe('Size of its volume, when that is made') })
  .prefault({});

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
      series: [{ expr: 'max(delos_database_bytes)', legend: 'size' }],
    },
  ],
  diesWithNode: 'it runs once, on one volume',
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
  build: (scope, { own, namespace, image, resources, config: { cluster } }) =>
    new Postgres(scope, 'postgres', {
      namespace,
      image,
      user: postgres.user,
      resources,
      size: String(quantityOf(own.storage)),
      storageClass: cluster.storageClass,
    }),
};
