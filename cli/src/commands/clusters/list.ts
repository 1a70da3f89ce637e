import { clusterRecord } from '@delos/core';
import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { table } from '../../table.ts';
import { askClusters } from './ask.ts';

/** Every cluster of the platform: its own, those that have joined, are invited, or have left. */
export async function run(context: CommandContext): Promise<void> {
  const clusters = z.array(clusterRecord).parse(await askClusters(context, { action: 'list' }));
  const rows = clusters.map(({ name, state, seenAt, tokenExpiresAt, nodes, jobs }) => [
    name,
    state,
    String(nodes),
    String(jobs),
    tokenExpiresAt === null ? (seenAt ?? 'never') : `join token until ${tokenExpiresAt}`,
  ]);
  context.result({ clusters }, table(['CLUSTER', 'STATE', 'NODES', 'JOBS', 'LAST HEARD OF'], rows));
}
