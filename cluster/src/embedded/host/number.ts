import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DelosError } from '@delos/core';
import { tryReadJson, withMutex, writeAtomic } from '@delos/host';
import { z } from 'zod';
import { layoutOf } from '../spec.ts';
import { type Addresses, addressesOf, INSTANCE_NUMBERS, MOST_NODES, overlaps, prefixLength } from './addresses.ts';
import { aliasOf, type Link, listLinks, listRoutes } from './host-network.ts';

const numberFile = z.object({ number: z.number().int() });

export interface Occupied {
  readonly links: readonly Link[];
  readonly routes: readonly { readonly network: string; readonly dev: string | undefined }[];
  /** Numbers that other instances beside this one keep in their state. */
  readonly kept: ReadonlySet<number>;
}

/** Whether the number's addresses, for so many nodes, are free, or are this instance's own already. */
export function isFree(number: number, occupied: Occupied, state: string, nodes = 1): boolean {
  if (occupied.kept.has(number)) return false;
  const all = Array.from({ length: MOST_NODES }, (_, at) => addressesOf(number, at + 1));
  const names = new Set(all.map(({ link }) => link));
  if (occupied.links.some(({ name, alias }) => names.has(name) && alias !== aliasOf(state))) return false;
  const foreign = occupied.routes.filter(({ dev }) => dev === undefined || !names.has(dev));
  return !foreign.some(({ network }) => all.slice(0, nodes).some((addresses) => collides(network, addresses)));
}

/** Wide routes, such as a VPN's 10.0.0.0/8, give way to the narrower ones that an instance makes. */
function collides(network: string, addresses: Addresses): boolean {
  if (prefixLength(network) < 16) return false;
  return [addresses.linkCidr, addresses.podCidr, addresses.serviceCidr].some((own) => overlaps(own, network));
}

export function tryReadNumber(state: string): number | undefined {
  return tryReadJson(layoutOf(state).number, numberFile)?.number;
}

/**
 * The instance's number: the one in its state, else the first free one. Two instances that ask at once get two.
 * @throws DelosError ERR_CLUSTER_START when none is free, or another's addresses are on the kept one
 */
export function allocateNumber(state: string, nodes = 1): Promise<number> {
  return withMutex('numbers', async () => {
    const siblings = dirname(state);
    const kept = new Set<number>();
    for (const name of existsSync(siblings) ? readdirSync(siblings) : []) {
      const number = join(siblings, name) === state ? undefined : tryReadNumber(join(siblings, name));
      if (number !== undefined) kept.add(number);
    }
    const occupied = { links: await listLinks(), routes: await listRoutes(), kept };
    const own = tryReadNumber(state);
    if (own !== undefined) {
      if (isFree(own, occupied, state, nodes)) return own;
      const pods = nodes === 1 ? '' : `, and 10.204–${202 + nodes}.${own}.0 for Pods`;
      throw new DelosError(
        'ERR_CLUSTER_START',
        `this instance has the addresses of number ${own} (10.201–203.${own}.0${pods}), which something else on this machine uses now`,
        { hint: 'see `ip address` and `ip route`; free them, or begin anew: delos down --delete-data, then delos up' },
      );
    }
    for (let number = 0; number < INSTANCE_NUMBERS; number++) {
      if (!isFree(number, occupied, state, nodes)) continue;
      writeAtomic(layoutOf(state).number, JSON.stringify({ number }));
      return number;
    }
    throw new DelosError('ERR_CLUSTER_START', 'no address range is free within 10.201–203.0–99.0', {
      hint: 'take instances down that are no longer needed: delos down --instance NAME --delete-data',
    });
  });
}
