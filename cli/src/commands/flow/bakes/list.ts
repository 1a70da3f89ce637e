import type { CommandContext } from '../../../context.ts';
import { table } from '../../../table.ts';
import { type PlatformOptions, withPlatform } from './access.ts';
import { type FlowPlace, placeFilter, recentBakes } from './questions.ts';

export interface ListOptions extends PlatformOptions, FlowPlace {
  readonly batch?: string;
  readonly status?: string;
  readonly limit: number;
}

/** Lists bakes, the newest first. */
export async function run(context: CommandContext, options: ListOptions): Promise<void> {
  const { batch, status, limit } = options;
  await withPlatform(context, options, async (client) => {
    const bakes = await recentBakes(client, { ...placeFilter(options), batch, status, limit });
    const rows = bakes.map((bake) => [
      bake.id,
      bake.name ?? '',
      `${bake.org_name}/${bake.project_name}`,
      bake.flow,
      bake.batch,
      bake.status,
      bake.created_at.slice(0, 19).replace('T', ' '),
    ]);
    const text = table(['BAKE', 'NAME', 'PROJECT', 'FLOW', 'BATCH', 'STATUS', 'MADE (UTC)'], rows);
    context.result({ bakes }, rows.length === 0 ? 'there are no bakes' : text);
  });
}
