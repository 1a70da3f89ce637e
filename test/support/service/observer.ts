import type { PodObservation } from '@delos/core';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { podRemoved, recordObservation, sealLogs } from '../../../runtime/service/src/db/jobs-state.ts';
import type { JobRow } from '../../../runtime/service/src/db/schema.ts';

/** What an agent would say of a job's Pod; the rest is nothing. */
export function observation(jobId: string, seen: Partial<PodObservation>): PodObservation {
  return {
    podUid: `uid-${jobId}`,
    phase: 'running',
    reason: null,
    description: null,
    nodeName: 'node-1',
    podIp: null,
    restarts: 0,
    startedAt: null,
    finishedAt: null,
    exitCode: null,
    run: 0,
    ofItself: false,
    putOut: false,
    refused: false,
    standIn: null,
    ...seen,
  };
}

/**
 * Stands where the agent of a cluster stands, for tests of what is in front of it: every admitted job runs, every
 * stopped one ends by SIGTERM, every log is sealed.
 */
export function observeAll(database: Database): () => void {
  const seen = async ({ id, phase }: Pick<JobRow, 'id' | 'phase'>): Promise<void> => {
    await database.tx(async (tx) => {
      const row = await tx.selectFrom('jobs').select('run').where('id', '=', id).executeTakeFirst();
      const run = row?.run ?? 0;
      const ours = { run, podUid: `uid-${id}-${run}` };
      const now = new Date().toISOString();
      if (phase === 'admitted') await recordObservation(tx, id, observation(id, { ...ours, startedAt: now }));
      if (phase === 'stopping')
        await recordObservation(tx, id, observation(id, { ...ours, phase: 'failed', exitCode: 143 }));
      if (phase === 'ended') await sealLogs(tx, id, true);
      if (phase === 'archived') await podRemoved(tx, id, { run, podUid: '' });
    });
  };
  const all = async (): Promise<void> => {
    for (const row of await database.db.selectFrom('jobs').select(['id', 'phase']).execute()) await seen(row);
  };
  const { notifications } = database;
  const unsubscribe = [
    notifications.onJobChanged((change) => void seen(change).catch(() => undefined)),
    notifications.onRenewed(() => void all().catch(() => undefined)),
  ];
  return () => {
    for (const off of unsubscribe) off();
  };
}
