import { AGENT_PREFIX, type StreamRefused } from '@delos/core';
import WebSocket from 'ws';
import { liveOf } from '../../live-secret.ts';
import { endSocket, forwardFrames, joinSockets } from '../../relay.ts';
import type { ApiSettings } from '../deps.ts';

const HANDSHAKE_MS = 5_000;

/** Tells the replica that waits for a stream why there is none. @returns whether it does wait */
export async function passRefusal(
  address: string,
  id: string,
  refusal: StreamRefused,
  { agentToken }: Pick<ApiSettings, 'agentToken'>,
): Promise<boolean> {
  const answer = await fetch(`${address}${AGENT_PREFIX}/streams/${id}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${liveOf(agentToken).current()}`, 'content-type': 'application/json' },
    body: JSON.stringify(refusal),
    signal: AbortSignal.timeout(HANDSHAKE_MS),
  });
  return answer.ok;
}

/** Joins an agent's stream to the replica that waits for it. */
export async function passToReplica(
  socket: WebSocket,
  address: string,
  id: string,
  { agentToken }: Pick<ApiSettings, 'agentToken'>,
): Promise<void> {
  socket.pause();
  const other = new WebSocket(`${address.replace(/^http/, 'ws')}${AGENT_PREFIX}/streams/${id}`, {
    headers: { authorization: `Bearer ${liveOf(agentToken).current()}` },
    handshakeTimeout: HANDSHAKE_MS,
    perMessageDeflate: false,
  });
  other.on('error', () => {
    other.terminate();
    endSocket(socket, 1011, 'the replica that waits for this stream does not answer');
  });
  await new Promise<void>((resolve) => {
    other.once('open', () => {
      forwardFrames(socket, other);
      forwardFrames(other, socket);
      joinSockets(socket, other);
      socket.resume();
      resolve();
    });
    other.once('close', () => resolve());
  });
}
