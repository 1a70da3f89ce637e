import { DelosError, type StreamRequest } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import type WebSocket from 'ws';
import type { JobRow } from '../../db/schema.ts';
import { checkedQuery, decodedPath } from '../../edge/text.ts';
import { forwardFrames, joinSockets } from '../../relay.ts';
import type { AgentHub } from '../agents/hub.ts';
import type { ApiDeps, Caller } from '../deps.ts';
import { absentAt } from '../known-services.ts';
import { addressOf } from '../limits/request-limits.ts';
import { StreamLimits } from '../limits/stream-limits.ts';
import { splitWords } from '../resources/jobs/shlex.ts';
import { notServed, type Prepared, takeUpgrades } from '../upgrades.ts';
import { LatestUsage } from '../usage/latest-usage.ts';
import { UsageReaders } from '../usage/usage-readers.ts';
import { readLogQuery, streamLog } from './log-stream.ts';
import { OpenStreams } from './open-streams.ts';

const PATH = /^\/api\/v1\/jobs\/([^/]+)\/(log_ws|attach|exec|port_forward|top)(?:\/([^/]+))?\/?$/;
/** What the client asks for with attach, in a raw header. */
const PROTOCOL = 'v2.channels.neu.ro';
/** Of a client's frame. The official client sends what its stream reader holds: less than 400 KiB. */
const MAX_MESSAGE_BYTES = 2 ** 20;
/** Streams of one replica at once. The connections that are left serve requests. */
const MOST_STREAMS = 600;
/** Of one user at once, over all replicas. */
const MOST_STREAMS_OF_USER = 100;

/**
 * The monitoring service's WebSockets on the public listener. An error is always the handshake's: what is upgraded
 * and closed counts as a normal end.
 */
export async function streamRoutes(
  app: FastifyInstance,
  deps: ApiDeps,
  hub: AgentHub,
): Promise<{ readonly close: () => Promise<void> }> {
  const limits = new StreamLimits(MOST_STREAMS_OF_USER, deps);
  const upgrades = takeUpgrades(app.server, {
    log: deps.log,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    most: MOST_STREAMS,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
    prepare: async (request, url) => {
      const match = PATH.exec(url.pathname);
      if (match === null) throw absentAt(deps.resources, url.pathname) ?? notServed(url.pathname);
      const [, id = '', kind = '', extra] = match;
      const query = checkedQuery(url.search);
      await deps.requests.ofSource(addressOf(request));
      const caller = await deps.authenticate(request.headers.authorization);
      await deps.requests.ofUser(caller);
      const release = await limits.take(caller);
      try {
        const { accept, abandon } = await prepare(caller, decodedPath(id, 'id'), kind, extra, query);
        return {
          accept: (socket) => {
            socket.once('close', release);
            accept(socket);
          },
          abandon: () => {
            release();
            abandon?.();
          },
        };
      } catch (error) {
        release();
        throw error;
      }
    },
  });

  const open = new OpenStreams(deps.database, deps.log);
  const readers = new UsageReaders<JobRow>({
    latest: new LatestUsage(deps.cache, deps.settings.cluster),
    running: async (ids) => {
      const rows = await deps.database.db
        .selectFrom('jobs')
        .select('id')
        .where('id', 'in', [...ids])
        .where('phase', 'in', RUNNING)
        .execute();
      return new Set(rows.map(({ id }) => id));
    },
    stream: (job) => upstreamOf(job, streamOf(job, 'top', undefined, new URLSearchParams())),
    log: deps.log,
  });

  /** Everything that can be refused is done before the upgrade. */
  async function prepare(
    caller: Caller,
    id: string,
    kind: string,
    extra: string | undefined,
    search: URLSearchParams,
  ): Promise<Prepared> {
    const right = kind === 'log_ws' || kind === 'top' ? 'read' : 'write';
    const job = await deps.resources.jobs.find(deps, caller, id, right);
    if (kind === 'log_ws') {
      const options = readLogQuery(search);
      const source = { logs: deps.logs, tails: hub.tails };
      return {
        accept: (socket) => {
          open.add(socket, caller, job, right);
          void streamLog(socket, source, job.id, options, deps.log);
        },
      };
    }
    if (kind === 'top') {
      const first = await readers.first(running(job));
      if (first !== undefined) {
        return {
          accept: (socket) => {
            open.add(socket, caller, job, right);
            readers.add(socket, job, first);
          },
        };
      }
    }
    const upstream = await upstreamOf(job, streamOf(job, kind, extra, search));
    return {
      accept: (socket) => {
        open.add(socket, caller, job, right);
        forwardFrames(socket, upstream);
        // What the client reads of `top` is text.
        forwardFrames(upstream, socket, undefined, kind !== 'top');
        joinSockets(socket, upstream);
      },
      abandon: () => upstream.terminate(),
    };
  }

  async function upstreamOf(job: JobRow, request: Omit<StreamRequest, 'id'>): Promise<WebSocket> {
    return hub.openStream(running(job).cluster, request);
  }

  return {
    close: async () => {
      limits.close();
      readers.close();
      open.close();
      upgrades.close();
    },
  };
}

const RUNNING: readonly JobRow['phase'][] = ['running', 'stopping'];

/** @throws DelosError ERR_NOT_FOUND where the job's container does not run */
function running(job: JobRow): JobRow {
  if (RUNNING.includes(job.phase)) return job;
  const waits = job.phase === 'queued' || job.phase === 'admitted';
  throw new DelosError('ERR_NOT_FOUND', `the container of ${job.id} ${waits ? 'does not run yet' : 'has ended'}`, {
    hint: `apolo ${waits ? 'status' : 'logs'} ${job.id} tells more`,
  });
}

/** @throws DelosError ERR_REQUEST */
function streamOf(
  job: JobRow,
  kind: string,
  extra: string | undefined,
  search: URLSearchParams,
): Omit<StreamRequest, 'id'> {
  const flag = (name: string, fallback = false): boolean => {
    const text = search.get(name);
    return text === null ? fallback : /^(1|true|yes)$/i.test(text);
  };
  const flags = {
    jobId: job.id,
    tty: flag('tty'),
    stdin: flag('stdin'),
    stdout: flag('stdout'),
    stderr: flag('stderr'),
    command: [],
    port: null,
  };
  if (kind === 'port_forward') {
    const port = Number(extra);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new DelosError('ERR_REQUEST', `${JSON.stringify(extra ?? '')} is not a port`, {
        hint: 'name a port from 1 to 65535',
      });
    }
    return { ...flags, kind: 'port-forward', port };
  }
  if (kind === 'top') return { ...flags, kind: 'top' };
  if (!flags.stdin && !flags.stdout && !flags.stderr) {
    throw new DelosError('ERR_REQUEST', 'none of stdin, stdout and stderr is asked for');
  }
  if (kind === 'attach') return { ...flags, kind: 'attach' };
  const command = splitWords(search.get('cmd') ?? '', 'cmd');
  if (command.length === 0) throw new DelosError('ERR_REQUEST', 'no command is given', { where: { field: 'cmd' } });
  return { ...flags, kind: 'exec', command };
}
