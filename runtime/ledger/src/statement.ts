import { type Account, isHold } from './accounts.ts';
import type { Grains } from './amounts.ts';
import type { Span } from './periods.ts';
import type { Kind, Transaction } from './transaction.ts';

/** What an account had and got in a while. */
export interface Statement {
  readonly account: Account;
  readonly span: Span;
  readonly opening: Grains;
  readonly lines: readonly Line[];
  readonly closing: Grains;
}

/** One change of an account; all charges of a job are one. */
export interface Line {
  /** Of its first part, in seconds since 1970. */
  readonly at: number;
  readonly kind: Kind;
  /** The job that it charges, holds for or pays back. Undefined where it is about no job. */
  readonly job?: string;
  /** Seconds that it is for. */
  readonly seconds?: number;
  readonly by?: string;
  readonly why?: string;
  readonly grains: Grains;
}

/**
 * The statement of one account, of transactions in the order in which they were written. A job's credits that are held count as
 * the account's: what it shows is what was charged, and nothing that comes and goes.
 */
export function statementOf(account: Account, transactions: Iterable<Transaction>, span: Span): Statement {
  let opening = 0n;
  let closing = 0n;
  const lines: Line[] = [];
  const ofJobs = new Map<string, number>();
  for (const transaction of transactions) {
    const grains = changeOf(account, transaction);
    if (transaction.at >= span.to) continue;
    closing += grains;
    if (transaction.at < span.from) {
      opening += grains;
      continue;
    }
    if (grains === 0n) continue;
    const { at, kind, stretch, by, why } = transaction;
    const line: Line = {
      ...{ at, kind, grains },
      ...(stretch === undefined ? {} : { job: stretch.job, seconds: stretch.to - stretch.from }),
      ...(by === undefined ? {} : { by }),
      ...(why === undefined ? {} : { why }),
    };
    const same = stretch === undefined ? undefined : `${kind} ${stretch.job}`;
    const known = same === undefined ? undefined : ofJobs.get(same);
    const before = known === undefined ? undefined : lines[known];
    if (before === undefined || known === undefined) {
      if (same !== undefined) ofJobs.set(same, lines.length);
      lines.push(line);
    } else {
      lines[known] = {
        ...before,
        grains: before.grains + grains,
        seconds: (before.seconds ?? 0) + (line.seconds ?? 0),
      };
    }
  }
  return { account, span, opening, lines, closing };
}

/** How a transaction changes an account together with its holds. Holds of another account do not count. */
function changeOf(account: Account, { entries, payer }: Transaction): Grains {
  return entries.reduce(
    (sum, entry) =>
      entry.account === account || (isHold(entry.account) && payer === account) ? sum + entry.grains : sum,
    0n,
  );
}
