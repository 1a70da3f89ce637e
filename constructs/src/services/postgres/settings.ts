import { quantityOr0 } from '@delos/core';
import type { Resources } from '../../base/pod.ts';
import { partOf } from '../../base/sections/resources-section.ts';

/** What PostgreSQL is told in either form, alone or as one of several. @param size of its volume */
export const settings = ({ memory }: Resources, size: string): Readonly<Record<string, string | number>> => ({
  hba_file: '/etc/postgres/pg_hba.conf',
  unix_socket_directories: '/var/run/postgresql',
  password_encryption: 'scram-sha-256',
  max_connections: 100,
  shared_buffers: `${partOf(memory, 1 / 4)}MB`,
  max_wal_size: '512MB',
  // For a member or an archive that is away, no more of the log is kept than this.
  max_slot_wal_keep_size: `${Math.max(256, Math.floor(quantityOr0(size) / 8 / 2 ** 20))}MB`,
  log_line_prefix: '%m [%p] %u@%d ',
  // A statement in the log may hold a password.
  log_min_error_statement: 'panic',
});
