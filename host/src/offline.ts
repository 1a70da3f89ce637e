import { DelosError } from '@delos/core';

/*
 * Where there is no way out, whatever would be fetched or built of what is fetched is named at once, rather than waited for. Programs
 * that this process starts see the variable too.
 */

const VARIABLE = 'DELOS_OFFLINE';

/** Whether nothing may be fetched: `DELOS_OFFLINE=1`, or a command that said so. */
export const isOffline = (): boolean => process.env[VARIABLE] === '1';

/** From now on this process, and whatever it starts, fetches nothing. */
export function goOffline(): void {
  process.env[VARIABLE] = '1';
}

/** @throws DelosError ERR_BUNDLE_CONTENT where nothing may be fetched, naming what is missing */
export function refuseOffline(what: string): void {
  if (!isOffline()) return;
  throw new DelosError('ERR_BUNDLE_CONTENT', `${what} is not here, and nothing may be fetched`, {
    hint: 'it has to come from a bundle that was made of this very checkout: `delos up --bundle FOLDER --trust KEYS`',
    data: { missing: what },
  });
}
