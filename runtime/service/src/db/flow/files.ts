import { randomUUID } from 'node:crypto';
import { DelosError, type FlowSourceFile } from '@delos/core';
import type { Tx } from '../schema.ts';
import { growBake } from './bakes.ts';
import { MOST_CONFIG_FILES } from './limits.ts';
import type { FlowConfigFileRow } from './tables.ts';

/** Keeps a file that a bake is made of. @throws DelosError ERR_QUOTA_EXCEEDED */
export async function addConfigFile(
  tx: Tx,
  bake: string,
  { filename, content }: FlowSourceFile,
): Promise<FlowConfigFileRow> {
  // Holds the bake: its files are counted one after another.
  await growBake(tx, bake, Buffer.byteLength(content) + 1);
  const { count } = await tx
    .selectFrom('flow_config_files')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('bake', '=', bake)
    .executeTakeFirstOrThrow();
  if (count >= MOST_CONFIG_FILES) {
    throw new DelosError('ERR_QUOTA_EXCEEDED', `bake ${bake} has ${count} configuration files, the most`);
  }
  return tx
    .insertInto('flow_config_files')
    .values({ id: `config-file-${randomUUID()}`, bake, filename, content })
    .returningAll()
    .executeTakeFirstOrThrow();
}
