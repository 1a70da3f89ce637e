import type { Kind } from '@delos/ledger';
import type { Generated } from 'kysely';

/* Amounts are grains, and prices grains a second: numeric columns, read as texts. Times are whole seconds since 1970. */

export interface CreditPriceTable {
  readonly cluster: string;
  readonly preset: string;
  readonly from_at: number;
  readonly price: string;
}

export interface CreditTransactionTable {
  readonly key: string;
  readonly seq: Generated<number>;
  readonly kind: Kind;
  readonly at: number;
  readonly org: string;
  /** Null: of the organization as a whole. */
  readonly project: string | null;
  readonly job: string | null;
  readonly run: number | null;
  readonly from_second: number | null;
  readonly to_second: number | null;
  readonly payer: string | null;
  readonly by_whom: string | null;
  readonly why: string | null;
}

export interface CreditEntryTable {
  readonly transaction: string;
  readonly account: string;
  readonly grains: string;
}

export interface CreditBalanceTable {
  readonly account: string;
  readonly grains: string;
}

export interface CreditSpentTable {
  readonly org: string;
  readonly project: string;
  /** Since 1970. */
  readonly day: number;
  readonly grains: string;
}

export interface CreditRunTable {
  readonly job: string;
  readonly run: number;
  readonly cluster: string;
  readonly org: string;
  readonly project: string;
  readonly preset: string;
  readonly payer: string;
  readonly price: string;
  readonly started: number | null;
  readonly ended: number | null;
  readonly taken_away: Generated<boolean>;
  readonly over: Generated<boolean>;
  readonly held: Generated<string>;
  readonly charged_to: number | null;
  /** Less what was given back. */
  readonly charged: Generated<string>;
  readonly closed: Generated<boolean>;
}

export interface CreditStandingTable {
  readonly org: string;
  /** Empty: the organization as a whole. */
  readonly project: string;
  readonly empty_since: number;
}

export interface CreditTermsTable {
  readonly one: Generated<boolean>;
  readonly hold_seconds: number;
  readonly refund_seconds: number;
  readonly grace_seconds: number;
  readonly charge_seconds: Generated<number>;
}

export interface CreditsSchema {
  readonly credit_prices: CreditPriceTable;
  readonly credit_transactions: CreditTransactionTable;
  readonly credit_entries: CreditEntryTable;
  readonly credit_balances: CreditBalanceTable;
  readonly credit_spent: CreditSpentTable;
  readonly credit_runs: CreditRunTable;
  readonly credit_standing: CreditStandingTable;
  readonly credit_terms: CreditTermsTable;
}
