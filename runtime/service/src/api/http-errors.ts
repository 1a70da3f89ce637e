import { BODY_TOO_LARGE, type DelosError, type ErrorCode, isDelosError } from '@delos/core';

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  ERR_UNAUTHENTICATED: 401,
  ERR_FORBIDDEN: 403,
  ERR_NOT_FOUND: 404,
  ERR_REQUEST: 400,
  // Not 404: the client takes that for "its container has ended".
  ERR_UNKNOWN_JOB: 400,
  ERR_UNKNOWN_PRESET: 400,
  // Not 403: the client would call it missing permissions.
  ERR_QUOTA_EXCEEDED: 400,
  ERR_CONFLICT: 409,
  ERR_NOT_IMPLEMENTED: 501,
  ERR_TIMEOUT: 503,
  ERR_BUSY: 503,
  ERR_TOO_MANY_REQUESTS: 429,
};

export interface HttpError {
  readonly status: number;
  /** The official client shows `error`; `code` names the page in docs/errors. */
  readonly body: { readonly error: string; readonly code: ErrorCode };
  /** Ours to look at, not the client's to see. */
  readonly internal: boolean;
  /** Seconds after which there is room again. */
  readonly retryAfter?: number;
}

/** How an error is answered. For a WebSocket handshake the client reads the message from the header `X-Error`. */
export function httpError(error: unknown): HttpError {
  if (isDelosError(error)) {
    const status = STATUS[error.code] ?? 500;
    const { retryAfter } = error.data;
    return {
      status,
      body: { error: messageOf(error), code: error.code },
      internal: status === 500,
      ...(typeof retryAfter === 'number' ? { retryAfter } : {}),
    };
  }
  const status = clientStatus(error);
  if (status !== undefined) {
    const own = error instanceof Error ? error.message : 'the request is not valid';
    const code = status === 404 ? 'ERR_NOT_FOUND' : 'ERR_REQUEST';
    return { status, body: { error: status === 413 ? BODY_TOO_LARGE : own, code }, internal: false };
  }
  return {
    status: 500,
    body: { error: 'the control API failed on this request; its log says why', code: 'ERR_INTERNAL' },
    internal: true,
  };
}

/** Message and what to do, in one line: the client puts it into a sentence of its own, and a header holds no more. */
function messageOf(error: DelosError): string {
  const place = error.where?.field === undefined ? '' : `${error.where.field}: `;
  return [`${place}${error.message}`, ...(error.hint === undefined ? [] : [error.hint])]
    .flatMap((text) => text.split('\n'))
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .join('; ');
}

/** Errors of the HTTP framework itself (body too large, broken JSON …) carry a 4xx status. */
function clientStatus(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined;
  const { statusCode } = error;
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? statusCode : undefined;
}
