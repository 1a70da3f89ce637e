import { type Account, holdAccount, REVENUE } from './accounts.ts';
import type { Grains } from './amounts.ts';
import { costOf, type Prices } from './prices.ts';
import { balanced, moved, type Transaction } from './transaction.ts';

/** One run of a job, as far as it is charged. Times are whole seconds since 1970. */
export interface Run {
  readonly job: string;
  readonly run: number;
  /** Who pays for it. */
  readonly payer: Account;
  readonly prices: Prices;
  /** Undefined: its container has not started. */
  readonly started: number | undefined;
  /** Undefined: it has not ended. It may still change while the run is not over. */
  readonly ended: number | undefined;
  /** Nothing of this run changes any more. */
  readonly over: boolean;
  /** The platform ended it, for another one or since it lost its node. */
  readonly takenAway: boolean;
}

/** What the books say of a run. */
export interface Settled {
  /** What is left of what it had set aside. */
  readonly held: Grains;
  /** Seconds before this one were charged; undefined: none. */
  readonly chargedTo: number | undefined;
  /** Nothing more is to be written. */
  readonly closed: boolean;
}

/** How runs are charged. */
export interface Terms {
  /** Set aside when a run starts: what so many seconds of it cost. */
  readonly holdSeconds: number;
  /** A run that goes on is charged this often. */
  readonly chargeSeconds: number;
  /** Of a run that the platform took away, at most so many of its last seconds are given back. */
  readonly refundSeconds: number;
}

/** As a run is before anything is written of it. */
export const UNSETTLED: Settled = { held: 0n, chargedTo: undefined, closed: false };

/**
 * The credits that an admitted run holds: what its first seconds cost at today's price. A run with a shorter limit holds less.
 * @param seconds how long it may run at most; undefined: as long as it likes
 */
export function holdOf(prices: Prices, now: number, terms: Terms, seconds?: number): Grains {
  const lasts = Math.max(0, Math.min(terms.holdSeconds, Math.ceil(seconds ?? Infinity)));
  return costOf(prices, now, now + lasts);
}

/** Sets credits aside for a run. */
export function hold({ job, run, payer }: Pick<Run, 'job' | 'run' | 'payer'>, grains: Grains, at: number): Transaction {
  return { key: `hold/${job}/${run}`, kind: 'hold', at, entries: moved(payer, holdAccount(job, run), grains), payer };
}

/**
 * The transactions that are due for a run now, in their order. The same state gives the same transactions, with the same keys. The books
 * take each key once.
 *
 * A charge begins where the last one ended and is known by that second. So two that charge at the same time, or one that
 * begins anew after it was killed, cannot both charge it.
 */
export function settle(run: Run, settled: Settled, now: number, terms: Terms): readonly Transaction[] {
  if (settled.closed) return [];
  const charge = chargeOf(run, settled, now, terms);
  if (!run.over) return charge === undefined ? [] : [charge];
  const taken = charge?.entries.find(({ account }) => account === holdAccount(run.job, run.run))?.grains ?? 0n;
  return [
    charge,
    returnOf(run, settled, now),
    refundOf(run, charge?.stretch?.to ?? settled.chargedTo, now, terms),
    releaseOf(run, settled.held + taken, now),
  ].filter((transaction) => transaction !== undefined && transaction.entries.length > 0) as readonly Transaction[];
}

/** The books of a run after these were written. */
export function settledBy(run: Run, settled: Settled, written: readonly Transaction[]): Settled {
  const account = holdAccount(run.job, run.run);
  let { held, chargedTo } = settled;
  for (const { kind, entries, stretch } of written) {
    for (const entry of entries) if (entry.account === account) held += entry.grains;
    if (kind === 'charge') chargedTo = stretch?.to ?? chargedTo;
  }
  return { held, chargedTo, closed: settled.closed || run.over };
}

function chargeOf(run: Run, settled: Settled, now: number, terms: Terms): Transaction | undefined {
  const { job, started, ended } = run;
  if (started === undefined) return undefined;
  const from = settled.chargedTo ?? started;
  // What a run says of its end may be taken back until it is over: it waits as one that goes on does.
  const to = run.over ? (ended ?? started) : Math.min(now, ended ?? now);
  if (to <= from || (!run.over && now - from < terms.chargeSeconds)) return undefined;
  const cost = costOf(run.prices, from, to);
  if (cost === 0n) return undefined;
  const beyond = cost > settled.held ? cost - settled.held : 0n;
  const ofHold = cost - beyond;
  return {
    key: `charge/${job}/${run.run}/${from}`,
    kind: 'charge',
    at: now,
    entries: balanced([
      { account: holdAccount(job, run.run), grains: -ofHold },
      { account: run.payer, grains: -beyond },
      { account: REVENUE, grains: cost },
    ]),
    stretch: { job, run: run.run, from, to },
    payer: run.payer,
  };
}

/** It ended before the second until which it was charged: its node was lost, and that was seen later. */
function returnOf({ job, run, payer, prices, started, ended }: Run, { chargedTo }: Settled, at: number) {
  const from = Math.max(ended ?? started ?? 0, started ?? 0);
  if (chargedTo === undefined || chargedTo <= from) return undefined;
  return {
    key: `return/${job}/${run}`,
    kind: 'return' as const,
    at,
    entries: moved(REVENUE, payer, costOf(prices, from, chargedTo)),
    stretch: { job, run, from, to: chargedTo },
    payer,
  };
}

/** What was free at the end was not charged, and is not given back. */
function refundOf(
  { job, run, payer, prices, started, ended, takenAway }: Run,
  chargedTo: number | undefined,
  at: number,
  terms: Terms,
) {
  if (!takenAway || started === undefined || ended === undefined || chargedTo === undefined) return undefined;
  const [from, to] = [Math.max(started, ended - terms.refundSeconds), Math.min(ended, chargedTo)];
  if (from >= to) return undefined;
  return {
    key: `refund/${job}/${run}`,
    kind: 'refund' as const,
    at,
    entries: moved(REVENUE, payer, costOf(prices, from, to)),
    stretch: { job, run, from, to },
    payer,
  };
}

function releaseOf({ job, run, payer }: Run, left: Grains, at: number) {
  const entries = moved(holdAccount(job, run), payer, left);
  return { key: `release/${job}/${run}`, kind: 'release' as const, at, entries, payer };
}
