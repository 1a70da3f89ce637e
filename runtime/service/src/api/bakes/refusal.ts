import { DelosError } from '@delos/core';
import { PythonError } from '@delos/flow';

/** Whether a job may be made later: its user or project has as many as may wait, or run, at once. */
export const waits = (error: unknown): boolean =>
  error instanceof DelosError && error.code === 'ERR_QUOTA_EXCEEDED' && !error.message.includes('would never run');

/** Why a job can never be made; undefined where it may be later. */
export function refusal(error: unknown): string | undefined {
  if (error instanceof PythonError) return error.message;
  if (!(error instanceof DelosError) || error.code === 'ERR_TIMEOUT') return undefined;
  return error.message;
}
