import type { CommandContext } from '../../context.ts';
import { clusterStatus } from '../../instance/engine.ts';
import { table } from '../../table.ts';

export async function run(context: CommandContext): Promise<void> {
  const status = await clusterStatus(context);
  context.result(
    status,
    [
      `${status.kind} cluster, Kubernetes ${status.version}, ${status.server}`,
      '',
      table(
        ['NODE', 'READY', 'POOL'],
        status.nodes.map(({ name, ready, pool }) => [name, ready ? 'yes' : 'no', pool ?? '']),
      ),
      '',
      table(
        ['PART', 'HEALTHY', 'MESSAGE'],
        status.parts.map(({ name, healthy, message }) => [name, healthy ? 'yes' : 'no', message]),
      ),
    ].join('\n'),
  );
}
