import { open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { chained, ocsfEvent, syslogLine } from '@delos/audit';
import { auditPiece } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { askAudit } from './ask.ts';

const PIECE = 1_000;

/** Writes the chain to a file: as it is, for the verifier, or each record in the words of others. */
export async function run(
  context: CommandContext,
  path: string,
  { format, after = 0 }: { readonly format: 'chain' | 'syslog' | 'ocsf'; readonly after?: number },
): Promise<void> {
  // Of a file that is there, nothing is lost.
  const file = await open(path, 'wx', 0o600);
  let records = 0;
  try {
    for (let last = after; ; ) {
      const sign = last === after;
      const piece = auditPiece.parse(await askAudit(context, { action: 'export', after: last, limit: PIECE, sign }));
      if (piece.last === last) break;
      const told = piece.lines.flatMap((line) => lineAs(format, line, hostname()) ?? []);
      await file.appendFile(told.map((line) => `${line}\n`).join(''));
      records += piece.last - last;
      last = piece.last;
      if (records < PIECE) break;
    }
  } finally {
    await file.close();
  }
  context.result({ file: path, format, records }, `${records} records written to ${path}`);
}

/** Undefined for a checkpoint, of which the others know nothing. */
function lineAs(format: 'chain' | 'syslog' | 'ocsf', line: string, host: string): string | undefined {
  if (format === 'chain') return line;
  const record = chained.safeParse(JSON.parse(line)).data;
  if (record === undefined) return undefined;
  return format === 'syslog' ? syslogLine(record, host) : JSON.stringify(ocsfEvent(record));
}
