import { DelosError, RUNNING_PHASES, type StreamRequest, TERMINAL } from '@delos/core';
import type { JobRow } from '../../../../db/schema.ts';
import { forwardFrames, joinSockets } from '../../../../relay.ts';
import type { ObjectStream, StreamCall } from '../../../stream.ts';
import { splitWords } from '../shlex.ts';
import { openExecutor } from './executor-stream.ts';

/** What the agent is asked for, beside the job. */
type Asked = Omit<StreamRequest, 'id' | 'jobId' | 'callback'>;

/** A stream into a job's container: opened by the agent before the client's handshake is answered. */
export function openContainer(read: (request: StreamCall) => Asked): ObjectStream<JobRow>['open'] {
  return async (deps, job, request) => {
    const asked = read(request);
    if (asked.kind === 'attach' && job.carries !== null && !TERMINAL.has(job.status)) return openExecutor(deps, job);
    checkRuns(job);
    const upstream = await deps.hub.openStream(job.cluster, { ...asked, jobId: job.id });
    return {
      accept: (socket) => {
        forwardFrames(socket, upstream);
        // What the client reads of `top` is text.
        forwardFrames(upstream, socket, undefined, asked.kind !== 'top');
        joinSockets(socket, upstream);
      },
      abandon: () => upstream.terminate(),
    };
  };
}

/** @throws DelosError ERR_NOT_FOUND where the container does not run */
export function checkRuns({ id, phase }: JobRow): void {
  if (RUNNING_PHASES.includes(phase)) return;
  const waits = phase === 'queued' || phase === 'admitted';
  throw new DelosError('ERR_NOT_FOUND', `the container of ${id} ${waits ? 'does not run yet' : 'has ended'}`, {
    hint: `apolo ${waits ? 'status' : 'logs'} ${id} tells more`,
  });
}

function flagsOf(query: URLSearchParams): Pick<Asked, 'tty' | 'stdin' | 'stdout' | 'stderr'> {
  const flag = (name: string): boolean => /^(1|true|yes)$/i.test(query.get(name) ?? '');
  return { tty: flag('tty'), stdin: flag('stdin'), stdout: flag('stdout'), stderr: flag('stderr') };
}

export const readTop = ({ query }: StreamCall): Asked => ({
  ...flagsOf(query),
  kind: 'top',
  command: [],
  port: null,
});

/** @throws DelosError ERR_REQUEST */
export function readAttach({ query }: StreamCall): Asked {
  const flags = flagsOf(query);
  if (!flags.stdin && !flags.stdout && !flags.stderr) {
    throw new DelosError('ERR_REQUEST', 'none of stdin, stdout and stderr is asked for');
  }
  return { ...flags, kind: 'attach', command: [], port: null };
}

/** @throws DelosError ERR_REQUEST */
export function readExec(request: StreamCall): Asked {
  const attached = readAttach(request);
  const command = splitWords(request.query.get('cmd') ?? '', 'cmd');
  if (command.length === 0) throw new DelosError('ERR_REQUEST', 'no command is given', { where: { field: 'cmd' } });
  return { ...attached, kind: 'exec', command };
}

/** @throws DelosError ERR_REQUEST */
export function readPortForward({ query, params }: StreamCall): Asked {
  const port = Number(params.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new DelosError('ERR_REQUEST', `${JSON.stringify(params.port ?? '')} is not a port`, {
      hint: 'name a port from 1 to 65535',
    });
  }
  return { ...flagsOf(query), kind: 'port-forward', command: [], port };
}
