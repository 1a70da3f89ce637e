import { randomUUID } from 'node:crypto';
import { creditsRecord } from '@delos/core';
import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { operator } from '../../instance/runtime-command.ts';
import { askCredits, holderOf } from './ask.ts';
import { creditsTable } from './show.ts';

/** Gives credits to an organization, or sets some of its credits aside for a project; a negative amount takes them back. */
export async function run(
  context: CommandContext,
  to: string,
  credits: string,
  options: { readonly why: string; readonly key?: string },
): Promise<void> {
  const { why, key = randomUUID() } = options;
  const answer = await askCredits(context, { action: 'add', ...holderOf(to), credits, key, why, by: operator() });
  const { done, credits: now } = z.object({ done: z.boolean(), credits: z.array(creditsRecord) }).parse(answer);
  const first = done ? '' : `nothing was added: this was done before, with the key ${key}\n`;
  context.result({ done, key, credits: now }, `${first}${creditsTable(now)}`);
}
