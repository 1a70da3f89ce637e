import { type CreditsStatement, creditsStatement, DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { table } from '../../table.ts';
import { askCredits, holderOf } from './ask.ts';

/** What an organization or a project had and got in a month, in UTC. */
export async function run(
  context: CommandContext,
  of: string,
  options: { readonly month?: string; readonly csv: boolean },
): Promise<void> {
  const span = monthOf(options.month ?? new Date().toISOString().slice(0, 7));
  const answer = await askCredits(context, { action: 'statement', ...holderOf(of), ...span });
  const statement = creditsStatement.parse(answer);
  context.result({ statement }, options.csv ? statementCsv(statement) : statementTable(statement));
}

/** @throws DelosError ERR_USAGE */
export function monthOf(text: string): { readonly from: string; readonly to: string } {
  const [, year, month] = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(text) ?? [];
  if (year === undefined || month === undefined) {
    throw new DelosError('ERR_USAGE', `--month ${JSON.stringify(text)} is no month`, {
      hint: 'for example: --month 2027-01',
    });
  }
  const at = (months: number): string => new Date(Date.UTC(Number(year), months)).toISOString();
  return { from: at(Number(month) - 1), to: at(Number(month)) };
}

const COLUMNS = ['time', 'what', 'job', 'seconds', 'who', 'why', 'credits'] as const;

/** Lines of a statement as CSV (RFC 4180), between what there was and what is left. */
export function statementCsv(statement: CreditsStatement): string {
  return [COLUMNS, ...rowsOf(statement)].map((row) => row.map(field).join(',')).join('\r\n');
}

/** A text that a spreadsheet would take for a formula is told with an apostrophe before it. */
function field(value: string): string {
  const plain = /^[=+@\t\r]|^-[^\d]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

function statementTable(statement: CreditsStatement): string {
  return table(
    [...COLUMNS].map((name) => name.toUpperCase()),
    rowsOf(statement),
  );
}

function rowsOf({ from, to, opening, lines, closing }: CreditsStatement): readonly (readonly string[])[] {
  return [
    [from, 'opening', '', '', '', '', opening],
    ...lines.map(({ at, kind, job, seconds, by, why, credits }) => [
      at,
      kind,
      job ?? '',
      seconds === null ? '' : String(seconds),
      by ?? '',
      why ?? '',
      credits,
    ]),
    [to, 'closing', '', '', '', '', closing],
  ];
}
