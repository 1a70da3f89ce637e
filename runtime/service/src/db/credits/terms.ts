import type { PlatformConfig } from '@delos/core';
import { priceOf, type Terms } from '@delos/ledger';
import { sql } from 'kysely';
import type { Db, Tx } from '../schema.ts';
import { secondOf } from './books.ts';

/** A run that goes on is charged this often, where no configuration was applied yet. */
const CHARGE_SECONDS = 300;

export interface CreditTerms extends Terms {
  /** How long jobs run on when nothing is left. */
  readonly graceSeconds: number;
}

const HOUR = 3_600;

/** As the configuration says that was applied last. */
export async function creditTerms(db: Db): Promise<CreditTerms> {
  const row = await db.selectFrom('credit_terms').selectAll().executeTakeFirst();
  return {
    holdSeconds: row?.hold_seconds ?? HOUR,
    refundSeconds: row?.refund_seconds ?? HOUR,
    graceSeconds: row?.grace_seconds ?? HOUR,
    chargeSeconds: row?.charge_seconds ?? CHARGE_SECONDS,
  };
}

/** Writes terms, budgets, and prices from now on; what was charged before keeps its price. */
export async function applyCredits(tx: Tx, config: PlatformConfig, cluster: string, now = new Date()): Promise<void> {
  const { holdMinutes, refundMinutes, graceMinutes } = config.credits;
  const terms = {
    hold_seconds: holdMinutes * 60,
    refund_seconds: refundMinutes * 60,
    grace_seconds: graceMinutes * 60,
  };
  await tx
    .insertInto('credit_terms')
    .values(terms)
    .onConflict((on) => on.column('one').doUpdateSet(terms))
    .execute();
  for (const { name: org, budget, projects } of config.organizations) {
    await sql`update organizations set budget = ${json(budget)}::jsonb where name = ${org}`.execute(tx);
    for (const project of projects) {
      await sql`update projects set budget = ${json(project.budget)}::jsonb
        where org = ${org} and name = ${project.name}`.execute(tx);
    }
  }
  const second = secondOf(now);
  // Announced prices are those of the file, as long as they do not hold yet.
  await tx.deleteFrom('credit_prices').where('cluster', '=', cluster).where('from_at', '>', second).execute();
  for (const { name: preset, creditsPerHour, priceChanges } of config.presets) {
    const changes = (priceChanges ?? []).map(({ from, creditsPerHour: price }) => ({
      at: Date.parse(from) / 1000,
      price,
    }));
    const begun = changes.filter(({ at }) => at <= second).sort((a, b) => b.at - a.at)[0];
    const price = String(priceOf(begun?.price ?? creditsPerHour));
    const last = await tx
      .selectFrom('credit_prices')
      .select('price')
      .where('cluster', '=', cluster)
      .where('preset', '=', preset)
      .orderBy('from_at', 'desc')
      .limit(1)
      .executeTakeFirst();
    if (last?.price !== price) await insertPrice(tx, { cluster, preset, from_at: second, price });
    for (const { at, price: later } of changes.filter(({ at }) => at > second)) {
      await insertPrice(tx, { cluster, preset, from_at: at, price: String(priceOf(later)) });
    }
  }
}

/** Two changes within one second: the earlier one has held for no second. */
async function insertPrice(
  tx: Tx,
  row: { cluster: string; preset: string; from_at: number; price: string },
): Promise<void> {
  const taken = await tx
    .selectFrom('credit_prices')
    .select('from_at')
    .where('cluster', '=', row.cluster)
    .where('preset', '=', row.preset)
    .where('from_at', '=', row.from_at)
    .executeTakeFirst();
  await tx
    .insertInto('credit_prices')
    .values(taken === undefined ? row : { ...row, from_at: row.from_at + 1 })
    .execute();
}

type Budget = PlatformConfig['organizations'][number]['budget'];
const json = (budget: Budget): string | null =>
  budget === undefined ? null : JSON.stringify({ credits: budget.credits, period: budget.period });
