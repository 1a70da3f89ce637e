import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { DelosError, type StreamRequest } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import WebSocket, { WebSocketServer } from 'ws';
import type { JobRow } from '../../db/schema.ts';
import { forwardFrames, joinSockets } from '../../relay.ts';
import type { AgentHub } from '../agents/hub.ts';
import type { ApiDeps } from '../deps.ts';
import { refuseUpgrade } from '../handshake.ts';
import { httpError } from '../http-errors.ts';
import { splitWords } from '../resources/jobs/shlex.ts';
import { keepAlive } from './client-socket.ts';
import { readLogQuery, streamLog } from './log-stream.ts';

const PATH = /^\/api\/v1\/jobs\/([^/]+)\/(log_ws|attach|exec|port_forward|top)(?:\/([^/]+))?\/?$/;
/** What the client asks for with attach, in a raw header. */
const PROTOCOL = 'v2.channels.neu.ro';
const MAX_MESSAGE_BYTES = 8 * 2 ** 20;

interface Prepared {
  readonly accept: (socket: WebSocket) => void;
  /** The client left while its request was prepared. */
  readonly abandon: () => void;
}

/**
 * The monitoring service's WebSockets on the public listener. An error is always the handshake's: what is upgraded
 * and closed counts as a normal end.
 */
export async function streamRoutes(
  app: FastifyInstance,
  deps: ApiDeps,
  hub: AgentHub,
): Promise<{ readonly close: () => Promise<void> }> {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  });
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const url = new URL(request.url ?? '/', 'http://api');
    const match = PATH.exec(url.pathname);
    if (match === null) return;
    socket.on('error', () => socket.destroy());
    keepAlive(socket);
    const [, id = '', kind = '', extra] = match;
    prepare(request, decodeURIComponent(id), kind, extra, url.searchParams).then(
      ({ accept, abandon }) => {
        let accepted = false;
        sockets.handleUpgrade(request, socket, head, (client) => {
          accepted = true;
          accept(client);
        });
        if (!accepted) abandon();
      },
      (error: unknown) => {
        const answer = httpError(error);
        if (answer.internal) deps.log.error({ error, kind }, 'WebSocket handshake failed');
        refuseUpgrade(socket, answer);
      },
    );
  };

  /** Everything that can be refused is done before the upgrade. */
  async function prepare(
    request: IncomingMessage,
    id: string,
    kind: string,
    extra: string | undefined,
    search: URLSearchParams,
  ): Promise<Prepared> {
    const caller = await deps.authenticate(request.headers.authorization);
    const job = await deps.jobFor(caller, id, kind === 'log_ws' || kind === 'top' ? 'read' : 'write');
    if (kind === 'log_ws') {
      const options = readLogQuery(search);
      const source = { db: deps.database.db, tails: hub.tails };
      return {
        accept: (socket) => void streamLog(socket, source, job.id, options, deps.log),
        abandon: () => undefined,
      };
    }
    const upstream = await open(job, streamOf(job, kind, extra, search));
    return {
      accept: (socket) => {
        forwardFrames(socket, upstream);
        // What the client reads of `top` is text.
        forwardFrames(upstream, socket, undefined, kind !== 'top');
        joinSockets(socket, upstream);
      },
      abandon: () => upstream.terminate(),
    };
  }

  async function open(job: JobRow, request: Omit<StreamRequest, 'id'>): Promise<WebSocket> {
    if (job.phase !== 'running' && job.phase !== 'stopping') {
      const waits = job.phase === 'queued' || job.phase === 'admitted';
      throw new DelosError('ERR_NOT_FOUND', `the container of ${job.id} ${waits ? 'does not run yet' : 'has ended'}`, {
        hint: `apolo ${waits ? 'status' : 'logs'} ${job.id} tells more`,
      });
    }
    return hub.openStream(job.cluster, request);
  }

  app.server.on('upgrade', onUpgrade);
  return {
    close: async () => {
      app.server.off('upgrade', onUpgrade);
      for (const socket of sockets.clients) socket.close(1001, 'the control API restarts');
      for (const socket of sockets.clients) if (socket.readyState !== WebSocket.CLOSED) socket.terminate();
    },
  };
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
