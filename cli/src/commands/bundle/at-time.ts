import { DelosError } from '@delos/core';

/**
 * The time that a command shall go by: the one given, else that of SOURCE_DATE_EPOCH
 * (https://reproducible-builds.org/specs/source-date-epoch/) where `option` makes something, else this machine's.
 * @throws DelosError ERR_USAGE
 */
export function atTime(given: string | undefined, option: string): Date {
  const epoch = process.env.SOURCE_DATE_EPOCH;
  const text = given ?? (option === '--created-at' && epoch !== undefined ? secondsText(epoch) : undefined);
  if (text === undefined) return new Date();
  const time = new Date(text);
  if (/^\d{4}-\d\d-\d\d(T.*Z)?$/.test(text) && !Number.isNaN(time.getTime())) return time;
  throw new DelosError('ERR_USAGE', `${option} ${JSON.stringify(text)} is no time`, {
    hint: 'expected a date such as 2026-11-30, or a time in UTC such as 2026-11-30T15:04:05Z',
  });
}

const secondsText = (epoch: string): string =>
  /^\d{1,11}$/.test(epoch) ? new Date(Number(epoch) * 1000).toISOString() : epoch;
