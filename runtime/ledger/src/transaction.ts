import { type Account, GRANTS } from './accounts.ts';
import type { Grains } from './amounts.ts';

/** What one account gets (positive) or gives (negative). */
export interface Entry {
  readonly account: Account;
  readonly grains: Grains;
}

/** A piece of a job: seconds of one of its runs. */
export interface RunStretch {
  readonly job: string;
  readonly run: number;
  /** Seconds since 1970: the first one, and the first that is not part of it. */
  readonly from: number;
  readonly to: number;
}

/**
 * - `grant`: credits are handed out, or (negative) taken back;
 * - `move`: between an organization and a project of it;
 * - `hold`: set aside for a run that starts; `release`: what was not used of it;
 * - `charge`: for seconds of a run;
 * - `return`: seconds that were charged and turned out to be after the run's end;
 * - `refund`: seconds whose work was lost since the platform ended the run.
 */
export type Kind = 'grant' | 'move' | 'hold' | 'release' | 'charge' | 'return' | 'refund';

/** Entries that are written together or not at all. */
export interface Transaction {
  /** Says what it is for: a second one of the same key is the same one again. */
  readonly key: string;
  readonly kind: Kind;
  /** Seconds since 1970. */
  readonly at: number;
  /** They add up to zero; an account is named once, and none of them is of nothing. */
  readonly entries: readonly Entry[];
  /** Of what belongs to a run. */
  readonly stretch?: RunStretch;
  /** Whose credits a run's are, of what belongs to a run. */
  readonly payer?: Account;
  /** Who did it, where a person did. */
  readonly by?: string;
  /** Why, in that person's words. */
  readonly why?: string;
}

/** A change that a person asks for: who and why are part of it. */
export interface Asked {
  /** What makes two requests one, among those of the account. */
  readonly key: string;
  readonly at: number;
  readonly by: string;
  readonly why: string;
}

/** Hands credits out to an account; a negative amount takes them back. */
export function grant(account: Account, grains: Grains, { key, ...asked }: Asked): Transaction {
  return { ...asked, key: `grant/${account}/${key}`, kind: 'grant', entries: moved(GRANTS, account, grains) };
}

/** Sets credits of one account aside for another. */
export function move(from: Account, to: Account, grains: Grains, { key, ...asked }: Asked): Transaction {
  return { ...asked, key: `move/${from}/${to}/${key}`, kind: 'move', entries: moved(from, to, grains) };
}

/** Two entries, or none where there is nothing to move. */
export function moved(from: Account, to: Account, grains: Grains): readonly Entry[] {
  return balanced([
    { account: from, grains: -grains },
    { account: to, grains },
  ]);
}

/** Entries without those of nothing. */
export function balanced(entries: readonly Entry[]): readonly Entry[] {
  return entries.filter(({ grains }) => grains !== 0n);
}
