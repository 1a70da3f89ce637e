import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { table } from '../../table.ts';

export async function run(context: CommandContext): Promise<void> {
  const status = await (await engineOf(context)).status();
  if (status === undefined) {
    throw new DelosError('ERR_NOT_UP', `the cluster of instance ${context.paths.instance} is not up`, {
      hint: '`delos cluster up` starts it',
    });
  }
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
