import { isKubeError, type KubeError } from '@delos/kube';

/** True for a refusal that another object of the same name would not meet: the field cannot change on a live object. */
export function isImmutable(error: unknown): error is KubeError {
  if (!isKubeError(error, 422)) return false;
  const texts = [error.message, ...error.fields.map((field) => field.message)].join('\n');
  return IMMUTABLE.some((words) => words.test(texts));
}

/** The words of the API server's kinds: no reason or code is kept for it. */
const IMMUTABLE = [
  /\b(is|are) immutable\b/i,
  /may not (be changed|change)\b/i,
  /cannot (be changed|change roleRef)\b/i,
  /updates to [a-z]+ spec for fields other than/i,
  /updates to [a-z]+ are forbidden/i,
  /pod updates may not/i,
];

/** For messages about objects whose values must not be shown. */
export function withoutValues(error: KubeError): string {
  const fields = error.fields.map((field) => `${field.field} (${field.reason})`);
  return `${error.reason || `status ${error.status}`}${fields.length === 0 ? '' : `: ${fields.join(', ')}`}`;
}
