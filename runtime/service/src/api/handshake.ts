import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { HttpError } from './http-errors.ts';

/** A refused client has this long to take the answer and close. */
const LINGER_MS = 5_000;

/** Answers a WebSocket handshake by an error. The client reads its message from `X-Error`, and not the body. */
export function refuseUpgrade(socket: Duplex, { status, body, retryAfter }: HttpError): void {
  const text = JSON.stringify(body);
  // A header is one line of Latin-1.
  const message = body.error.replace(/\s*\n\s*/g, '; ').replace(/[^\x20-\x7e]/g, '?');
  // What the client sends on is dropped: closing a connection with unread bytes would cut off the answer.
  socket.resume();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
      `X-Error: ${message}`,
      ...(retryAfter === undefined ? [] : [`Retry-After: ${retryAfter}`]),
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(text)}`,
      'Connection: close',
      '',
      text,
    ].join('\r\n'),
  );
}
