import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { operator } from '../../instance/runtime-command.ts';
import { askAudit } from './ask.ts';

/** Erases what records tell of a person. That it was done is a record of its own. */
export async function run(context: CommandContext, actor: string, { why }: { readonly why: string }): Promise<void> {
  const answer = await askAudit(context, { action: 'erase', actor, why, by: operator() });
  const { records } = z.object({ records: z.number() }).parse(answer);
  context.result({ records }, `${records} records tell nothing of that person any more`);
}
