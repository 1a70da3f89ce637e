import { DelosError } from '@delos/core';
import { PythonError } from '@delos/flow';

/** Refusals that pass: what was refused is tried again. */
const PASSING = new Set(['ERR_TIMEOUT', 'ERR_BUSY']);

/** Why a job can never be made; undefined where it may be later. */
export function refusal(error: unknown): string | undefined {
  if (error instanceof PythonError) return error.message;
  if (!(error instanceof DelosError) || PASSING.has(error.code)) return undefined;
  if (error.code === 'ERR_QUOTA_EXCEEDED' && !error.message.includes('would never run')) return undefined;
  return error.message;
}
