import { DelosError } from '@delos/core';
import { type MachinePool, SYSTEM_POOL } from './pools.ts';

const LONGEST_AT_GOOGLE = 40;
/** Lower-case letters and digits, with a letter first. */
const LONGEST_AT_AZURE = 12;

/** @throws DelosError ERR_CONFIG_VALUE for a pool whose name Google does not take */
export function checkGoogleNames(pools: readonly MachinePool[]): void {
  const long = pools.find(({ name }) => name.length > LONGEST_AT_GOOGLE);
  if (long === undefined) return;
  throw fault(`${long.name} has ${long.name.length} letters, and a pool at Google ${LONGEST_AT_GOOGLE} at most`);
}

/** Pool of delos.yaml → name of its machines at Azure. @throws DelosError ERR_CONFIG_VALUE where two are the same there */
export function azureNames(pools: readonly MachinePool[]): ReadonlyMap<string, string> {
  const names = new Map([[SYSTEM_POOL, 'system']]);
  for (const { name } of pools.filter((pool) => pool.name !== SYSTEM_POOL)) {
    const short = name.replaceAll('-', '').replace(/^\d/, 'p$&').slice(0, LONGEST_AT_AZURE);
    const [other] = [...names].find(([, taken]) => taken === short) ?? [];
    if (other !== undefined) throw fault(`${name} and ${other} are both ${short} at Azure`);
    names.set(name, short);
  }
  return names;
}

const fault = (message: string): DelosError =>
  new DelosError('ERR_CONFIG_VALUE', `nodePools: ${message}`, {
    where: { field: 'nodePools' },
    hint: 'give the pool another name in delos.yaml',
  });
