import { isObject, type Json, listAt, text } from '@delos/kube';

/** An answer of the API server that is not a success. `reason` and `message` are those of its Status object. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly reason: string;
  /** What is wrong with which field, without the values that were sent. */
  readonly fields: readonly { readonly field: string; readonly reason: string; readonly message: string }[];

  constructor(status: number, body: Json | undefined, fallback: string) {
    super(text(body, 'message') || fallback);
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

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** True for a refusal that another object of the same name would not meet: the field cannot change on a live object. */
export function isImmutable(error: unknown): boolean {
  if (!(error instanceof ApiError) || error.status !== 422) return false;
  const texts = [error.message, ...error.fields.map((field) => field.message)].join('\n');
  return IMMUTABLE.some((words) => words.test(texts));
}

/** How the API server's kinds say it: there is no reason or code of its own for it. */
const IMMUTABLE = [
  /\b(is|are) immutable\b/i,
  /may not (be changed|change)\b/i,
  /cannot (be changed|change roleRef)\b/i,
  /updates to [a-z]+ spec for fields other than/i,
  /updates to [a-z]+ are forbidden/i,
  /pod updates may not/i,
];

/** For messages about objects whose values must not be shown. */
export function withoutValues(error: ApiError): string {
  const fields = error.fields.map((field) => `${field.field} (${field.reason})`);
  return `${error.reason || `status ${error.status}`}${fields.length === 0 ? '' : `: ${fields.join(', ')}`}`;
}
