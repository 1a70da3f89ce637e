import { TERMINAL } from '@delos/core';
import type { JobRow } from '../../../../db/schema.ts';
import { detach, every } from '../../../../edge/guard.ts';
import type { StreamDeps } from '../../../stream.ts';
import type { Prepared } from '../../../upgrades.ts';

/** A notification may be lost. */
const LOOK_MS = 5_000;

/**
 * The stream of whoever attaches to a job that stands for the platform's own engine: nothing comes by it, and it is open as
 * long as the bake is carried out. The client shows the job's log meanwhile.
 */
export function openExecutor({ database, log }: StreamDeps, { id }: Pick<JobRow, 'id'>): Prepared {
  return {
    accept: (socket) => {
      const look = async (): Promise<void> => {
        const row = await database.db.selectFrom('jobs').select('status').where('id', '=', id).executeTakeFirst();
        if (row === undefined || TERMINAL.has(row.status)) socket.close(1000);
      };
      const ends = [
        every(LOOK_MS, log, 'looking at the job of a bake', look),
        database.notifications.onJobChanged((change) => {
          if (change.id === id) detach(log, 'looking at the job of a bake', look);
        }),
      ];
      socket.once('close', () => {
        for (const end of ends) end();
      });
    },
    abandon: () => {},
  };
}
