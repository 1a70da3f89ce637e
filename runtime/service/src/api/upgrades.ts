import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { DelosError } from '@delos/core';
import type { Logger } from 'pino';
import WebSocket, { WebSocketServer } from 'ws';
import { guard } from '../edge/guard.ts';
import { refuseUpgrade } from './handshake.ts';
import { httpError } from './http-errors.ts';
import { keepAlive } from './streams/client-socket.ts';

/** What was prepared for a handshake that is going to be accepted. */
export interface Prepared {
  /** Subprotocol that is chosen where the client offers it. @default none */
  readonly protocol?: string | undefined;
  /** The WebSocket is open: called at once, before any frame of it is read. */
  readonly accept: (socket: WebSocket) => void;
  /** The client left while its handshake was prepared. */
  readonly abandon?: () => void;
}

export interface UpgradesProps {
  readonly log: Logger;
  /** Largest message of a client, in bytes. */
  readonly maxMessageBytes: number;
  /** WebSockets at once, handshakes that are being prepared included. */
  readonly most: number;
  /**
   * Everything that can be refused is refused here: what is upgraded and then closed counts as a normal end.
   * @throws DelosError what the handshake is refused with; {@link notServed} for a path that takes no WebSocket
   */
  readonly prepare: (request: IncomingMessage, url: URL) => Prepared | Promise<Prepared>;
}

export interface Upgrades {
  readonly clients: ReadonlySet<WebSocket>;
  readonly close: () => void;
}

/** Answers every WebSocket handshake of a listener, whatever its path: there is one such listener on each server. */
export function takeUpgrades(server: Server, props: UpgradesProps): Upgrades {
  const { log, most } = props;
  const protocols = new WeakMap<IncomingMessage, string>();
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: props.maxMessageBytes,
    handleProtocols: (offered, request) => {
      const protocol = protocols.get(request);
      return protocol !== undefined && offered.has(protocol) ? protocol : false;
    },
  });
  let preparing = 0;

  const take = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    socket.on('error', () => socket.destroy());
    keepAlive(socket);
    if (sockets.clients.size + preparing >= most) throw tooMany();
    preparing += 1;
    let prepared: Prepared;
    try {
      prepared = await props.prepare(request, urlOf(request));
    } finally {
      preparing -= 1;
    }
    if (prepared.protocol !== undefined) protocols.set(request, prepared.protocol);
    let accepted = false;
    try {
      // Called back before it returns, or not at all where the handshake itself is not valid: then it was answered.
      sockets.handleUpgrade(request, socket, head, (client) => {
        accepted = true;
        client.on('error', () => client.terminate());
        guard(prepared.accept, (error) => {
          log.error({ error }, 'a WebSocket could not be served');
          client.terminate();
        })(client);
      });
    } finally {
      if (!accepted) prepared.abandon?.();
    }
  };
  const onUpgrade = guard(take, (error, _request, socket) => {
    const answer = httpError(error);
    if (answer.internal) log.error({ error }, 'WebSocket handshake failed');
    if (socket.writable) refuseUpgrade(socket, answer);
    else socket.destroy();
  });
  server.on('upgrade', onUpgrade);
  return {
    clients: sockets.clients,
    close: () => {
      server.off('upgrade', onUpgrade);
      for (const socket of sockets.clients) socket.close(1001, 'the control API restarts');
      for (const socket of sockets.clients) if (socket.readyState !== WebSocket.CLOSED) socket.terminate();
    },
  };
}

export function notServed(path: string): DelosError {
  return new DelosError('ERR_NOT_FOUND', `no WebSocket is served at ${path}`);
}

/** The request's path and query. @throws DelosError ERR_REQUEST */
function urlOf({ url = '/' }: IncomingMessage): URL {
  const parsed = URL.parse(url, 'http://api');
  if (parsed !== null) return parsed;
  throw new DelosError('ERR_REQUEST', "the request's path is not valid", { where: { field: 'path' } });
}

function tooMany(): DelosError {
  return new DelosError('ERR_BUSY', 'too many streams are open at once', { hint: 'try again in a moment' });
}
