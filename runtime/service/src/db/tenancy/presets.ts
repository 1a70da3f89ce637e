import { DelosError, type Preset } from '@delos/core';
import type { Tx } from '../schema.ts';
import type { Expected } from './members.ts';
import { holdTenancy, isNot, isThere, MOST, refuseDeclared, refuseMore, tellChange } from './rule.ts';

async function presetsOf(tx: Tx, cluster: string) {
  await holdTenancy(tx);
  const row = await tx
    .selectFrom('clusters')
    .select(['presets', 'made_presets', 'pools', 'joined_at'])
    .where('name', '=', cluster)
    .executeTakeFirst();
  if (row === undefined) throw isNot(`cluster ${cluster}`);
  if (row.joined_at !== null) {
    throw new DelosError('ERR_CONFLICT', `presets of cluster ${cluster} are said by its own delos.yaml`, {
      hint: 'change it there and run there: delos up',
    });
  }
  return row;
}

async function write(tx: Tx, cluster: string, presets: readonly Preset[], made: readonly Preset[]): Promise<void> {
  await tx
    .updateTable('clusters')
    .set({ presets: JSON.stringify(presets), made_presets: JSON.stringify(made) })
    .where('name', '=', cluster)
    .execute();
  await tellChange(tx, cluster);
}

/** @throws DelosError ERR_NOT_FOUND, ERR_CONFLICT, ERR_REQUEST, ERR_QUOTA_EXCEEDED */
export async function setPreset(tx: Tx, cluster: string, preset: Preset, expected: Expected): Promise<void> {
  const { presets, made_presets: made, pools } = await presetsOf(tx, cluster);
  const { name } = preset;
  const known = presets.some((each) => each.name === name);
  const isMade = made.some((each) => each.name === name);
  if (known) refuseDeclared({ declared: !isMade }, `preset ${name}`);
  if (known && expected === 'new') throw isThere(`preset ${name}`);
  if (!known && expected === 'there') throw isNot(`preset ${name}`);
  if (!known) refuseMore(made.length, MOST.presets, 'presets beside those of delos.yaml');
  const strange = preset.pools.find((pool) => !pools.some((each) => each.name === pool));
  if (strange !== undefined) {
    throw new DelosError('ERR_REQUEST', `there is no node pool ${JSON.stringify(strange)}`, {
      where: { field: 'resource_pool_names' },
      hint: `there are: ${pools.map((pool) => pool.name).join(', ')}`,
    });
  }
  const changed = (all: readonly Preset[]): readonly Preset[] =>
    all.some((each) => each.name === name) ? all.map((each) => (each.name === name ? preset : each)) : [...all, preset];
  await write(tx, cluster, changed(presets), changed(made));
}

/** @throws DelosError ERR_NOT_FOUND, ERR_CONFLICT */
export async function removePreset(tx: Tx, cluster: string, name: string): Promise<void> {
  const { presets, made_presets: made } = await presetsOf(tx, cluster);
  if (!presets.some((each) => each.name === name)) throw isNot(`preset ${name}`);
  refuseDeclared({ declared: !made.some((each) => each.name === name) }, `preset ${name}`);
  const without = (all: readonly Preset[]): readonly Preset[] => all.filter((each) => each.name !== name);
  await write(tx, cluster, without(presets), without(made));
}
