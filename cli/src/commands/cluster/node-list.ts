import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { table } from '../../table.ts';

/** Every node of the cluster. */
export async function run(context: CommandContext): Promise<void> {
  const status = await (await engineOf(context)).status();
  if (status === undefined) {
    throw new DelosError('ERR_NOT_UP', `the cluster of instance ${context.paths.instance} is not up`, {
      hint: '`delos cluster up` starts it',
    });
  }
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
