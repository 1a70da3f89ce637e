import type { JobRow } from '../../../../db/schema.ts';
import type { ObjectStream } from '../../../stream.ts';
import { checkRuns, openContainer, readTop } from './container-stream.ts';

const openAtAgent = openContainer(readTop);

/** What a job uses: from the latest measurements, or where these do not have it yet, from its agent. */
export const openTop: ObjectStream<JobRow>['open'] = async (deps, job, call) => {
  checkRuns(job);
  const first = await deps.usage.first(job);
  if (first === undefined) return openAtAgent(deps, job, call);
  return { accept: (socket) => deps.usage.add(socket, job, first) };
};
