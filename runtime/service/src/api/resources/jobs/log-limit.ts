import { bytes, DelosError, type LogSettings, quantityOf, SMALLEST_LOG_LIMIT } from '@delos/core';
import type { JobRequest } from './request.ts';

/** How a job says that it needs another limit than the default: official clients have no option of their own for it. */
const VARIABLE = 'DELOS_LOG_LIMIT';

/** Bytes; null: the default. @throws DelosError ERR_REQUEST */
export function logLimitOf({ container }: JobRequest, { maxJobLimit }: LogSettings): number | null {
  const wanted = container.env?.[VARIABLE];
  if (wanted === undefined) return null;
  const parsed = bytes.safeParse(wanted);
  if (parsed.success && parsed.data >= SMALLEST_LOG_LIMIT && parsed.data <= maxJobLimit) return parsed.data;
  throw new DelosError(
    'ERR_REQUEST',
    `${JSON.stringify(wanted)} is no limit that a log can have: expected ${quantityOf(SMALLEST_LOG_LIMIT)} to ${quantityOf(maxJobLimit)}`,
    { where: { field: `env.${VARIABLE}` }, hint: 'the most is logs.maxJobLimit of delos.yaml' },
  );
}
