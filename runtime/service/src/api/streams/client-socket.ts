import type { Duplex } from 'node:stream';
import WebSocket from 'ws';

/** The client takes messages of at most 4 MiB; smaller ones are smoother. */
const FRAME_BYTES = 512 * 1024;
/** Finds a peer that vanished without a word. */
const KEEP_ALIVE_MS = 30_000;

export function keepAlive(socket: Duplex): void {
  if ('setKeepAlive' in socket && typeof socket.setKeepAlive === 'function') socket.setKeepAlive(true, KEEP_ALIVE_MS);
  if ('setNoDelay' in socket && typeof socket.setNoDelay === 'function') socket.setNoDelay(true);
}

/**
 * Sends bytes as binary frames and returns once the operating system has taken them: a reader that is slow holds its
 * writer, and no more than one frame is in memory. @returns false once the client is gone
 */
export async function sendAll(socket: WebSocket, bytes: Buffer): Promise<boolean> {
  for (let start = 0; start < bytes.length; start += FRAME_BYTES) {
    if (socket.readyState !== WebSocket.OPEN) return false;
    const sent = await new Promise<boolean>((resolve) => {
      socket.send(bytes.subarray(start, start + FRAME_BYTES), { binary: true }, (error) => resolve(error == null));
    });
    if (!sent) return false;
  }
  return socket.readyState === WebSocket.OPEN;
}
