import { type CreditsRecord, creditsRecord } from '@delos/core';
import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { table } from '../../table.ts';
import { askCredits } from './ask.ts';

/** What organizations, and projects with credits of their own, have left. */
export async function run(context: CommandContext, org: string | undefined): Promise<void> {
  const asked = { action: 'show' as const, ...(org === undefined ? {} : { org }) };
  const credits = z.array(creditsRecord).parse(await askCredits(context, asked));
  context.result({ credits }, creditsTable(credits));
}

export function creditsTable(credits: readonly CreditsRecord[]): string {
  if (credits.length === 0) return 'nobody was given credits: nothing is charged';
  const rows = credits.map(({ org, project, credits: left, held, spent, budget, endsAt, closed }) => [
    project === null ? org : `${org}/${project}`,
    left ?? 'of its organization',
    held,
    spent,
    budget === null ? '' : `${budget.spent} of ${budget.credits} this ${budget.period}`,
    closed === null ? (endsAt ?? '') : 'no job starts',
  ]);
  return table(['WHO', 'CREDITS LEFT', 'HELD', 'SPENT', 'BUDGET', 'ENDS'], rows);
}
