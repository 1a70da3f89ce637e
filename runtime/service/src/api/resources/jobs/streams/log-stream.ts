import { DelosError } from '@delos/core';
import type WebSocket from 'ws';
import { z } from 'zod';
import type { JobRow } from '../../../../db/schema.ts';
import { followLog } from '../../../../logs/follow.ts';
import type { ObjectStream, StreamDeps } from '../../../stream.ts';
import { sendAll } from '../../../streams/client-socket.ts';

const truth = z.string().transform((text) => /^(1|true|yes)$/i.test(text));
const query = z.object({
  since: z.iso.datetime({ offset: true, local: true }).optional(),
  timestamps: truth.default(false),
  separator: z.string().max(1_000).optional(),
});

type LogQuery = z.infer<typeof query>;

/** The log of one job. */
export const openLog: ObjectStream<JobRow>['open'] = (deps, job, call) => {
  const options = readLogQuery(call.query);
  return { accept: (socket) => void streamLog(socket, deps, job.id, options) };
};

/** @throws DelosError ERR_REQUEST */
function readLogQuery(search: URLSearchParams): LogQuery {
  const parsed = query.safeParse(Object.fromEntries(search));
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new DelosError('ERR_REQUEST', `${parsed.error.issues[0]?.message ?? 'not valid'}`, {
    where: { field },
    hint: 'since is a time such as 2026-01-31T12:00:00+00:00',
  });
}

/** A job's log from its beginning to its end, then a normal close: clients wait for it. */
async function streamLog(
  socket: WebSocket,
  { logs, hub, log }: Pick<StreamDeps, 'logs' | 'hub' | 'log'>,
  jobId: string,
  options: LogQuery,
): Promise<void> {
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  socket.on('error', () => socket.terminate());
  try {
    const pieces = followLog({ logs, tails: hub.tails }, jobId, {
      timestamps: options.timestamps,
      signal: gone.signal,
      ...(options.since === undefined ? {} : { since: new Date(options.since) }),
      ...(options.separator === undefined ? {} : { separator: options.separator }),
    });
    for await (const bytes of pieces) if (!(await sendAll(socket, bytes))) return;
    socket.close(1000);
  } catch (error) {
    log.error({ error, jobId }, 'a log could not be read on');
    // Not a normal close: what was shown is not the whole log.
    socket.close(1011, 'the log could not be read on');
  }
}
