import { isObject, type Json, listAt, text } from './json.ts';

/** An answer of the API server that is not a success. `reason` and `message` are those of its Status object. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  /** HTTP status. */
  readonly status: number;
  readonly reason: string;
  /** The fault of each field, without the values that were sent. */
  readonly fields: readonly { readonly field: string; readonly reason: string; readonly message: string }[];

  /** @param body a Status object, or the plain words of a proxy or the kubelet */
  constructor(status: number, body: Json | undefined) {
    const words = typeof body === 'string' ? body.trim().slice(0, 1_000) : text(body, 'message');
    super(words === '' ? `HTTP ${status}` : words);
    this.status = status;
    this.reason = text(body, 'reason');
    this.fields = listAt(body, 'details', 'causes')
      .filter(isObject)
      .map((cause) => ({
        field: text(cause, 'field'),
        reason: text(cause, 'reason'),
        message: text(cause, 'message'),
      }));
  }
}

export function isKubeError(error: unknown, status: number): error is KubeError {
  return error instanceof KubeError && error.status === status;
}

export const isNotFound = (error: unknown): error is KubeError => isKubeError(error, 404);
