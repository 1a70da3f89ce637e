import { DelosError, type ErrorCode } from '@delos/core';

/** One thing that is looked at before anything is changed. */
export interface Check {
  /** Stable: `area.subject`. */
  readonly id: string;
  readonly ok: boolean;
  /** A failed check that is not fatal is a warning. */
  readonly fatal: boolean;
  readonly measured: string;
  readonly needed: string;
  /** What to do when it is not ok. */
  readonly fix: string;
  /** The code that a failure of this check has. */
  readonly code: ErrorCode;
}

export function check(
  id: string,
  ok: boolean,
  rest: Omit<Check, 'id' | 'ok' | 'fatal' | 'code'> & Partial<Pick<Check, 'fatal' | 'code'>>,
): Check {
  return { id, ok, fatal: true, code: 'ERR_PREFLIGHT', ...rest };
}

/** @throws DelosError of the first fatal check that failed, with all of them as data */
export function requireChecks(checks: readonly Check[]): void {
  const failed = checks.filter(({ ok, fatal }) => !ok && fatal);
  const [first] = failed;
  if (first === undefined) return;
  const others = failed.length > 1 ? ` (and ${failed.length - 1} more: \`delos preflight\`)` : '';
  throw new DelosError(first.code, `${first.id}: ${first.measured}, needed: ${first.needed}${others}`, {
    hint: first.fix,
    data: { failed },
  });
}
