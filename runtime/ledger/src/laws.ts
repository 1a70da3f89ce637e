import { type Account, isHold } from './accounts.ts';
import type { Grains } from './amounts.ts';
import { faultOf } from './book.ts';
import type { RunStretch, Transaction } from './transaction.ts';

/**
 * All that is wrong with books, in words; none: they prove themselves. What was written is told in the order in which it was.
 *
 * 1. Each transaction adds up to zero, and each key is written once.
 * 2. No hold was ever less than nothing.
 * 3. The seconds that a run was charged for are one piece without a gap: none twice, none left out.
 * 4. What was returned is the end of that piece, and what was refunded lies in what is left of it.
 * 5. Balances, where they are told, are what the entries add up to.
 */
export function lawsBroken(
  transactions: Iterable<Transaction>,
  balances?: ReadonlyMap<Account, Grains>,
): readonly string[] {
  const broken: string[] = [];
  const keys = new Set<string>();
  const sums = new Map<Account, Grains>();
  const runs = new Map<string, Charged>();
  for (const transaction of transactions) {
    const { key, entries } = transaction;
    if (keys.has(key)) broken.push(`${key} is written twice`);
    keys.add(key);
    const fault = faultOf(transaction);
    if (fault !== undefined) broken.push(fault);
    for (const { account, grains } of entries) {
      const after = (sums.get(account) ?? 0n) + grains;
      sums.set(account, after);
      if (after < 0n && isHold(account)) broken.push(`${key} takes more from ${account} than is left of it`);
    }
    broken.push(...stretchFaults(runs, transaction));
  }
  for (const account of balances === undefined ? [] : new Set([...sums.keys(), ...balances.keys()])) {
    const [is, shall] = [balances?.get(account) ?? 0n, sums.get(account) ?? 0n];
    if (is !== shall) broken.push(`${account} has ${is} grains, and its entries add up to ${shall}`);
  }
  return broken;
}

interface Charged {
  readonly from: number;
  readonly to: number;
}

function stretchFaults(runs: Map<string, Charged>, { key, kind, stretch }: Transaction): readonly string[] {
  if (kind !== 'charge' && kind !== 'return' && kind !== 'refund') return [];
  if (stretch === undefined) return [`${key} says not for which seconds`];
  const run = nameOf(stretch);
  const known = runs.get(run);
  const { from, to } = stretch;
  switch (kind) {
    case 'charge':
      runs.set(run, { from: known?.from ?? from, to });
      if (known === undefined || known.to === from) return [];
      return [
        from < known.to
          ? `${key} charges again what was charged until second ${known.to}`
          : `${key} leaves out the seconds from ${known.to} to ${from}`,
      ];
    case 'return':
      if (known === undefined || to !== known.to || from < known.from)
        return [`${key} returns what was not charged last`];
      runs.set(run, { from: known.from, to: from });
      return [];
    case 'refund':
      return known !== undefined && from >= known.from && to <= known.to ? [] : [`${key} refunds what was not charged`];
  }
}

const nameOf = ({ job, run }: RunStretch): string => `${job}/${run}`;
