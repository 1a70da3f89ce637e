import { setTimeout as sleep } from 'node:timers/promises';
import type { BakeReport } from '@delos/core';
import type { CommandContext } from '../../../context.ts';
import type { ApiClient } from '../../platform/api-client.ts';
import { changes, frame, headline } from './frame.ts';
import { reportOf } from './questions.ts';

const LOOK_MS = 1_000;
/** As apolo-flow ends. */
const EXITS: Readonly<Record<string, number>> = { succeeded: 0, failed: 1, cancelled: 130 };

/**
 * Follows an attempt to its end: on a terminal as a picture that is drawn anew, elsewhere as a line for each change. The
 * bake goes on where the command is interrupted. Sets the exit code: 0, 1 for failed, 130 for cancelled.
 */
export async function follow(
  context: CommandContext,
  client: ApiClient,
  bake: string,
  attempt: number,
): Promise<BakeReport> {
  const out = process.stderr;
  const live = out.isTTY === true;
  let drawn = 0;
  let before: BakeReport | undefined;
  for (;;) {
    const report = await reportOf(client, bake, attempt);
    if (live) {
      const lines = frame(report, { columns: out.columns ?? 80, rows: out.rows ?? 24 });
      out.write(
        `${drawn === 0 ? '' : `\u001b[${drawn}A`}${lines.map((line) => `\u001b[2K${line}\n`).join('')}\u001b[J`,
      );
      drawn = lines.length;
    } else for (const line of changes(before, report)) out.write(`${new Date().toISOString()} ${line}\n`);
    before = report;
    if (report.settled) break;
    await sleep(LOOK_MS, undefined, { signal: context.signal });
  }
  if (!live) out.write(`${new Date().toISOString()} ${headline(before)}\n`);
  process.exitCode = EXITS[before.result] ?? 1;
  return before;
}
