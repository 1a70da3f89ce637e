import WebSocket, { type RawData } from 'ws';
import { guard } from './edge/guard.ts';

/** Unsent bytes at which the sender's other end is held. */
const HIGH_BYTES = 1024 * 1024;
const LOW_BYTES = 256 * 1024;

/**
 * Passes frames on, as binary ones unless told otherwise, holding the source while the sink is slow: memory stays bounded whatever either end does.
 * `map` may change a frame, or drop it (undefined).
 */
export function forwardFrames(
  from: WebSocket,
  to: WebSocket,
  map: (frame: Buffer) => Buffer | undefined = (frame) => frame,
  binary = true,
): void {
  const forward = (data: RawData): void => {
    const frame = map(bufferOf(data));
    if (frame === undefined || to.readyState !== WebSocket.OPEN) return;
    to.send(frame, { binary }, () => {
      if (from.isPaused && to.bufferedAmount < LOW_BYTES) from.resume();
    });
    if (to.bufferedAmount > HIGH_BYTES) from.pause();
  };
  // A frame that cannot be passed on ends its own stream, and nothing else.
  from.on(
    'message',
    guard(forward, () => {
      endSocket(from, 1011, 'a frame could not be passed on');
      endSocket(to, 1011, 'a frame could not be passed on');
    }),
  );
}

/** Ends both when either ends, and starts what was held until both were there. */
export function joinSockets(a: WebSocket, b: WebSocket): void {
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.on('error', () => one.terminate());
    one.once('close', () => endSocket(other));
  }
  a.resume();
  b.resume();
  // One of them may have ended before it was listened to.
  if (a.readyState === WebSocket.CLOSED) endSocket(b);
  if (b.readyState === WebSocket.CLOSED) endSocket(a);
}

/** A normal end; what was sent before still arrives. */
export function endSocket(socket: WebSocket, code = 1000, reason = ''): void {
  socket.resume();
  socket.close(code, reason);
}

export function bufferOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
