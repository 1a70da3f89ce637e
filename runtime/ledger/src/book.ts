import { type Account, isHold } from './accounts.ts';
import type { Grains } from './amounts.ts';
import type { Transaction } from './transaction.ts';

/** Thrown where what is to be written would break a law of the books. */
export class LedgerFault extends Error {
  override readonly name = 'LedgerFault';
}

/** All that was written, and what it adds up to. What PostgreSQL keeps is held against it. */
export class Book {
  readonly #balances = new Map<Account, Grains>();
  readonly #keys = new Set<string>();
  readonly #written: Transaction[] = [];

  /** A book of these transactions, in this order. @throws LedgerFault */
  static of(transactions: Iterable<Transaction>): Book {
    const book = new Book();
    for (const transaction of transactions) {
      if (!book.write([transaction])) throw new LedgerFault(`${transaction.key} is written twice`);
    }
    return book;
  }

  /** In the order in which they were written. */
  get transactions(): readonly Transaction[] {
    return this.#written;
  }

  get balances(): ReadonlyMap<Account, Grains> {
    return this.#balances;
  }

  balanceOf(account: Account): Grains {
    return this.#balances.get(account) ?? 0n;
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /**
   * Writes all of them, or none where one of them is there already: whoever made them had not read it.
   * @returns whether they were written
   * @throws LedgerFault where one is not balanced, or takes more of a hold than is left of it; nothing is written then
   */
  write(transactions: readonly Transaction[]): boolean {
    if (transactions.some(({ key }) => this.#keys.has(key))) return false;
    const changed = new Map<Account, Grains>();
    const balance = (account: Account): Grains => changed.get(account) ?? this.balanceOf(account);
    for (const transaction of transactions) {
      const fault = faultOf(transaction);
      if (fault !== undefined) throw new LedgerFault(fault);
      for (const { account, grains } of transaction.entries) {
        const after = balance(account) + grains;
        if (after < 0n && isHold(account)) {
          throw new LedgerFault(`${transaction.key} takes more from ${account} than is left of it`);
        }
        changed.set(account, after);
      }
    }
    for (const [account, grains] of changed) this.#balances.set(account, grains);
    for (const { key } of transactions) this.#keys.add(key);
    this.#written.push(...transactions);
    return true;
  }
}

/** What is wrong with a transaction by itself; undefined: nothing. */
export function faultOf({ key, entries, stretch, kind, by, why }: Transaction): string | undefined {
  if (entries.length < 2) return `${key} moves nothing`;
  const sum = entries.reduce((total, { grains }) => total + grains, 0n);
  if (sum !== 0n) return `the entries of ${key} add up to ${sum} grains, not to zero`;
  if (entries.some(({ grains }) => grains === 0n)) return `${key} has an entry of nothing`;
  if (new Set(entries.map(({ account }) => account)).size < entries.length) return `${key} names an account twice`;
  if (stretch !== undefined && !(stretch.from < stretch.to)) return `${key} is of no second`;
  if ((kind === 'grant' || kind === 'move') && (!by?.trim() || !why?.trim()))
    return `${key} says not who did it, or not why`;
  return undefined;
}
