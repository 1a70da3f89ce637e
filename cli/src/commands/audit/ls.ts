import { type Chained, chained, type Outcome } from '@delos/audit';
import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { table } from '../../table.ts';
import { askAudit } from './ask.ts';

interface Wanted {
  readonly actor?: string;
  readonly act?: string;
  readonly object?: string;
  readonly outcome?: Outcome;
  readonly from?: string;
  readonly to?: string;
  readonly limit: number;
}

/** Records, the earliest first. */
export async function run(
  context: CommandContext,
  { actor, act, object, outcome, from, to, limit }: Wanted,
): Promise<void> {
  const filter = { actor, act, object, outcome, from, to };
  const given = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
  const records = z
    .array(chained)
    .parse(await askAudit(context, { action: 'ls', after: 0, limit: Math.min(limit, 1_000), ...given }));
  const rows = records.map((each) => [
    String(each.seq),
    new Date(each.record.at).toISOString(),
    textOf(each, 'actor'),
    each.record.act,
    each.record.outcome,
    textOf(each, 'object'),
    textOf(each, 'reason'),
  ]);
  context.result({ records }, table(['NO', 'TIME', 'WHO', 'ACT', 'OUTCOME', 'OBJECT', 'REASON'], rows));
}

function textOf({ record, opened }: Chained, field: 'actor' | 'object' | 'reason'): string {
  return opened[field]?.value ?? (record.fields[field] === undefined ? '' : '(erased)');
}
