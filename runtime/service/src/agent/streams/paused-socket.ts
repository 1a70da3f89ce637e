import type { IncomingMessage } from 'node:http';
import WebSocket from 'ws';

export interface SocketOptions extends WebSocket.ClientOptions {
  readonly protocols?: readonly string[];
  /** The error for an answer that is no WebSocket; without it the library's own. */
  readonly failure?: (response: IncomingMessage) => Promise<Error>;
}

/** A WebSocket that is open, and paused: what comes waits until {@link WebSocket.resume}. Frames of at most 16 MiB. */
export function openPaused(
  url: string | URL,
  { protocols = [], failure, ...options }: SocketOptions,
): Promise<WebSocket> {
  const socket = new WebSocket(url, [...protocols], { perMessageDeflate: false, maxPayload: 16 * 2 ** 20, ...options });
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      socket.pause();
      socket.removeAllListeners('error');
      // It may take a while until somebody takes it. Until then an error needs a listener here.
      socket.on('error', () => socket.terminate());
      resolve(socket);
    });
    socket.on('error', reject);
    if (failure === undefined) return;
    socket.once('unexpected-response', (_request, response) => void failure(response).then(reject, reject));
  });
}
