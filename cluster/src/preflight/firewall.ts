import { tryCommand } from '@delos/host';
import { type Check, check } from './check.ts';

/** Where firewalls and Docker keep the rules for what a machine passes on. */
const CHAIN = ['list', 'chain', 'ip', 'filter', 'FORWARD'] as const;

/** Does a chain, as nft prints it, drop what no rule of it accepts? */
export function dropsByDefault(chain: string): boolean {
  return /hook forward .*policy drop;/.test(chain);
}

/**
 * A machine that drops what it is to pass on, as one with Docker does, leaves Pods without a way out: an `accept` of our
 * own table cannot undo another table's drop. No more than a warning, since nothing inside the cluster needs it.
 */
export async function firewallCheck(): Promise<Check> {
  const chain = await tryCommand('nft', CHAIN);
  const drops = chain.code === 0 && dropsByDefault(chain.stdout) && !chain.stdout.includes('"delos-*"');
  const target = chain.stdout.includes('DOCKER-USER') ? 'DOCKER-USER' : 'FORWARD';
  return check('network.forward', !drops, {
    fatal: false,
    measured: drops ? 'the machine drops what it is to pass on (chain FORWARD)' : 'the machine passes packets on',
    needed: 'packets of the cluster may leave the machine, if jobs are to reach the outside',
    fix: `allow it: for d in -i -o; do iptables -I ${target} $d delos-+ -j ACCEPT; done`,
  });
}
