import type { Alert } from '../../base/metrics.ts';

/** Bytes of its log that a member may be behind. */
const MOST_BEHIND = 64 * 2 ** 20;

/** What can be wrong among members, from what Patroni says of each. @see https://patroni.readthedocs.io/en/latest/rest_api.html */
export const MEMBER_ALERTS: readonly Alert[] = [
  {
    name: 'DatabaseWithoutPrimary',
    severity: 'critical',
    expr: 'sum by (job) (patroni_primary) < 1',
    for: '1m',
    summary: 'No member of PostgreSQL is the primary: nothing can be written',
  },
  {
    name: 'DatabaseNotSynchronous',
    severity: 'critical',
    expr: 'sum by (job) (patroni_sync_standby) + sum by (job) (patroni_quorum_standby) < 1',
    for: '2m',
    summary: 'PostgreSQL writes to one member alone: with it, what was written last would be lost',
  },
  {
    name: 'DatabaseMemberAway',
    severity: 'warning',
    expr: 'sum by (job) (patroni_postgres_running) < 3',
    for: '5m',
    summary: 'A member of PostgreSQL does not run: the next loss would stop it',
  },
  {
    name: 'DatabaseMemberLags',
    severity: 'warning',
    expr: `scalar(max(patroni_xlog_location)) - patroni_xlog_replayed_location > ${MOST_BEHIND} and patroni_replica == 1`,
    for: '5m',
    summary: 'A member of PostgreSQL is far behind the primary',
  },
];
