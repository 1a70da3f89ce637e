import { tryCommand } from '@delos/host';
import { z } from 'zod';
import { type Check, check } from './check.ts';

/** A chain that the kernel hands packets to, with its rules as nft prints them. */
export interface BaseChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly policy: 'accept' | 'drop';
  readonly rules: readonly string[];
}

/** Names of the machine's ends of the instances' links begin so. */
const OURS = 'delos-';
const COUNTER = /^counter packets \d+ bytes \d+ /;

/**
 * Chains that drop or refuse what no rule of theirs accepts, by their policy or by their last rule, and that do not
 * accept what comes from an instance. An `accept` of another table cannot undo it.
 */
export function closing(chains: readonly BaseChain[]): readonly BaseChain[] {
  return chains.filter(({ table, policy, rules }) => {
    if (table.startsWith('delos')) return false;
    const last = (rules.at(-1) ?? '').replace(COUNTER, '');
    const closes = policy === 'drop' || last === 'drop' || last.startsWith('reject');
    return closes && !rules.some((rule) => rule.includes(OURS) && rule.includes('accept'));
  });
}

const nameOf = ({ family, table, name }: BaseChain): string => `${family} ${table} ${name}`;

/** How to let an instance through: by the command of whoever made the chain. */
function opening(chain: BaseChain, way: 'pass' | 'arrive'): string {
  if (chain.table === 'firewalld')
    return 'firewall-cmd --permanent --zone=trusted --add-interface=delos-0 && firewall-cmd --reload';
  if (way === 'arrive') return `iptables -I ${chain.name} -i ${OURS}+ -p udp --dport 53 -j ACCEPT, the same for tcp`;
  const target = chain.rules.some((rule) => rule.includes('DOCKER-USER')) ? 'DOCKER-USER' : chain.name;
  return `for d in -i -o; do iptables -I ${target} $d ${OURS}+ -j ACCEPT; done`;
}

/**
 * A machine that drops what it is to pass on, as one with Docker does, leaves Pods without a way out. No more than a
 * warning, since nothing inside the cluster needs it.
 */
export function forwardCheck(chains: readonly BaseChain[]): Check {
  const [first] = closing(chains);
  return check('network.forward', first === undefined, {
    fatal: false,
    measured:
      first === undefined
        ? 'the machine passes packets on'
        : `chain ${nameOf(first)} drops what the machine is to pass on`,
    needed: 'packets of the cluster may leave the machine, if jobs are to reach the outside',
    fix: first === undefined ? 'nothing' : `allow it: ${opening(first, 'pass')}`,
  });
}

/**
 * Where the machine asks a resolver, or a proxy, on its own loopback, the node is relayed to it over the machine's end
 * of its link, which a firewall may close.
 * @param relays what is relayed, for people: `DNS`, `HTTP_PROXY`
 */
export function relayCheck(chains: readonly BaseChain[], relays: readonly string[]): Check {
  const [first] = closing(chains);
  const closed = first !== undefined && relays.length > 0;
  return check('network.relay', !closed, {
    fatal: false,
    measured: closed
      ? `chain ${nameOf(first)} drops what comes from the node, which needs it for ${relays.join(' and ')}`
      : relays.length === 0
        ? 'the node needs no relay to this machine’s loopback'
        : `the node can be relayed to this machine’s loopback (${relays.join(', ')})`,
    needed: 'the node reaches the machine where resolver or proxy listen on loopback alone',
    fix: closed ? `allow it: ${opening(first, 'arrive')}` : 'nothing',
  });
}

const listing = z.object({
  nftables: z.array(
    z.looseObject({
      chain: z
        .object({
          family: z.string(),
          table: z.string(),
          name: z.string(),
          hook: z.string().optional(),
          policy: z.enum(['accept', 'drop']).default('accept'),
        })
        .optional(),
    }),
  ),
});

/** The base chains of IPv4 at a hook; none where nft cannot tell. */
export async function readChains(hook: 'input' | 'forward'): Promise<readonly BaseChain[]> {
  const { code, stdout } = await tryCommand('nft', ['-j', 'list', 'chains']);
  const found = code === 0 ? listing.safeParse(tryJson(stdout)).data?.nftables : undefined;
  const heads = (found ?? [])
    .flatMap(({ chain }) => (chain === undefined ? [] : [chain]))
    .filter((chain) => chain.hook === hook && ['ip', 'inet'].includes(chain.family));
  return Promise.all(
    heads.map(async ({ family, table, name, policy }) => {
      const { stdout: text } = await tryCommand('nft', ['list', 'chain', family, table, name]);
      return { family, table, name, policy, rules: rulesOf(text) };
    }),
  );
}

/** Rules of a chain as `nft list chain` prints it: a line each, between its head and its end. */
export function rulesOf(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && line !== '}' && !/^(table|chain|type) /.test(line) && !line.startsWith('#'));
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
