import type { IncomingMessage, Server } from 'node:http';

/*
 * Limits of an HTTP listener of ours, in time and in number. The gateway has limits of its own
 * (constructs/src/services/gateway/caddyfile.ts); these hold whatever stands in front.
 */

/** Time from the first byte of a request to the end of its headers. */
export const HEADERS_MS = 10_000;
/** Time from the first byte of a request to the end of its body. */
export const REQUEST_MS = 30_000;
/** Longer than the gateway and the collectors keep an idle connection, so that a reused one is not closed under them. */
export const KEEP_ALIVE_MS = 75_000;
/** A connection on which nothing moves for this long is closed: a reader that has stalled, too. WebSockets are exempt. */
export const SILENCE_MS = 120_000;
/** Connections at once, WebSockets included. More are closed as they come; the gateway tries again. */
export const MAX_CONNECTIONS = 1_000;
export const MAX_HEADER_BYTES = 16_384;
const CHECK_MS = 2_000;

/** Options for `http.createServer`. */
export const HTTP_OPTIONS = {
  headersTimeout: HEADERS_MS,
  connectionsCheckingInterval: CHECK_MS,
  maxHeaderSize: MAX_HEADER_BYTES,
  // Any other protocol that is offered (h2c) is left unused, as RFC 9110 (7.8) allows: the answer is plain HTTP/1.1.
  shouldUpgradeCallback: isWebSocketHandshake,
} as const;

/** Options for Fastify, which sets these on its server itself. */
export const FASTIFY_LIMITS = {
  http: HTTP_OPTIONS,
  requestTimeout: REQUEST_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  connectionTimeout: SILENCE_MS,
} as const;

/** What can be set only on the server itself. */
export function limitServer(server: Server): void {
  server.maxConnections = MAX_CONNECTIONS;
}

export function isWebSocketHandshake({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}
