import { readFileSync } from 'node:fs';
import { findByArgument, isAlive, type ProcessIdentity } from '@delos/host';

/*
 * A word among a process's arguments tells whose it is. So it is found again without a file: a pid file may be lost or
 * half written, the arguments of a live process cannot.
 */
export const hostMarker = (state: string) => `delos-host:${state}`;
export const nodeMarker = (state: string, index = 1) => `delos-node:${state}${index === 1 ? '' : `:${index}`}`;
/** No instance has a point in its name. */
export const cgroupOf = (instance: string, index = 1) => `delos-${instance}${index === 1 ? '' : `.node-${index}`}`;

function isInit(identity: ProcessIdentity): boolean {
  try {
    const line = /^NSpid:\s*(.+)$/m.exec(readFileSync(`/proc/${identity.pid}/status`, 'utf8'))?.[1] ?? '';
    const ids = line.split(/\s+/);
    return ids.length > 1 && ids.at(-1) === '1';
  } catch {
    return false;
  }
}

/** First process of a node of the instance, by its id in the machine's PID namespace. */
export function tryFindInit(state: string, index = 1): ProcessIdentity | undefined {
  return findByArgument(nodeMarker(state, index)).find((identity) => isAlive(identity) && isInit(identity));
}
