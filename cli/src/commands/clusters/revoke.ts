import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { operator } from '../../instance/runtime-command.ts';
import { askClusters } from './ask.ts';

const answer = z.object({ revoked: z.boolean() });

/** A join token that was not used is good no more. */
export async function run(context: CommandContext, cluster: string): Promise<void> {
  const { revoked } = answer.parse(await askClusters(context, { action: 'revoke', cluster, by: operator() }));
  context.result(
    { cluster, revoked },
    revoked ? `the join token of ${cluster} is good no more` : `no join token of ${cluster} waits`,
  );
}
