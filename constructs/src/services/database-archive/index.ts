import type { ServiceDescriptor } from '../../base/service.ts';
import { ARCHIVE_SERVICE, postgres } from '../postgres/index.ts';
import { DatabaseArchive } from './database-archive.ts';
import { ARCHIVE_BUCKET, type ArchiveSection, archiveSection } from './section.ts';

/** Seconds after which something is wrong, whatever `within` says: the database waits for its archive with a bounded log. */
const BEHIND_SECONDS = 600;

/** The service that keeps each change of the database. */
export const databaseArchive: ServiceDescriptor<ArchiveSection, DatabaseArchive> = {
  name: ARCHIVE_SERVICE,
  idea: 'the archive of PostgreSQL: its log and base backups in a bucket, to go back to any time',
  image: 'pg-archive',
  config: archiveSection,
  user: 60614,
  resources: { cpu: '20m', memory: '64Mi', memoryLimit: '256Mi' },
  needs: [postgres],
  optional: true,
  bucket: ARCHIVE_BUCKET,
  bucketOptional: true,
  dialsOut: { trustedBy: 'SSL_CERT_FILE', direct: true },
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'DatabaseArchiveBehind',
      severity: 'critical',
      expr: `time() - delos_archive_as_of_seconds > ${BEHIND_SECONDS} and time() - delos_archive_started_seconds > ${BEHIND_SECONDS}`,
      for: '1m',
      summary: 'What PostgreSQL commits does not come into its archive: it would be lost with the database',
    },
    {
      name: 'DatabaseArchiveBroken',
      severity: 'critical',
      expr: 'delos_archive_base_seconds == 0 and time() - delos_archive_started_seconds > 600',
      for: '10m',
      summary:
        'The archive of PostgreSQL has no base backup of its present history: no time since then can be gone back to',
    },
    {
      name: 'DatabaseBaseBackupFails',
      severity: 'warning',
      expr: 'increase(delos_archive_base_failures_total[1h]) > 2',
      for: '5m',
      summary: 'Base backups of PostgreSQL fail: going back would take longer, and the archive grows',
    },
  ],
  panels: [
    {
      title: 'How far the archive is behind',
      unit: 'seconds',
      series: [{ expr: 'time() - max(delos_archive_as_of_seconds)', legend: 'behind' }],
    },
    {
      title: 'Age of the last base backup',
      unit: 'seconds',
      kind: 'now',
      series: [{ expr: 'time() - max(delos_archive_base_seconds)', legend: 'age' }],
    },
    {
      title: 'Log put into the bucket',
      unit: 'bytes-per-second',
      series: [{ expr: 'rate(delos_archive_bytes_total[5m])', legend: 'log' }],
    },
  ],
  build: (scope, at) => new DatabaseArchive(scope, 'database-archive', { descriptor: databaseArchive, at }),
};
