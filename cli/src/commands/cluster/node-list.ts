import type { CommandContext } from '../../context.ts';
import { clusterStatus } from '../../instance/engine.ts';
import { table } from '../../table.ts';

/** Every node of the cluster. */
export async function run(context: CommandContext): Promise<void> {
  const status = await clusterStatus(context);
  context.result(
    status.nodes,
    table(
      ['NODE', 'READY', 'POOL', 'ADDRESS', 'STATE'],
      status.nodes.map(({ name, ready, pool, address, state }) => [
        name,
        ready ? 'yes' : 'no',
        pool ?? '',
        address ?? '',
        state ?? '',
      ]),
    ),
  );
}
