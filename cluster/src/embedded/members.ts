import { CONTROL_PLANE_LABEL, DelosError, type PlatformConfig, POOL_LABEL } from '@delos/core';
import { MOST_NODES } from './host/addresses.ts';
import { poolOf } from './prepare.ts';
import type { NodeSpec } from './spec.ts';

/**
 * The pool of each node that is asked for, in order: those of the configuration, else those that are there, else one node of
 * the first pool. Where a number is asked for, the last ones go, or further ones come that are of the last one's pool.
 *
 * @param before the nodes that are there
 * @throws DelosError ERR_USAGE for a number that is not within 1–16
 */
export function poolsWanted(
  config: PlatformConfig,
  before: readonly Pick<NodeSpec, 'labels'>[],
  asked: number | undefined,
): readonly string[] {
  const first = config.nodePools[0]?.name ?? '';
  const known = (pool: string | undefined): string =>
    config.nodePools.some(({ name }) => name === pool) ? (pool ?? first) : first;
  const there = before.map(({ labels }, at) => (at === 0 ? first : known(labels[POOL_LABEL])));
  const base = config.cluster.embedded.nodes ?? (there.length === 0 ? [first] : there);
  if (asked === undefined) return base;
  if (!Number.isInteger(asked) || asked < 1 || asked > MOST_NODES) {
    throw new DelosError('ERR_USAGE', `--nodes ${asked}: expected a whole number from 1 to ${MOST_NODES}`);
  }
  return Array.from({ length: asked }, (_, at) => base[at] ?? base.at(-1) ?? first);
}

/** What each node is started with; the first one has the control plane. @param shared what is the same for all */
export function membersOf(shared: NodeSpec, config: PlatformConfig, pools: readonly string[]): readonly NodeSpec[] {
  return pools.map((name, at) => {
    const pool = poolOf(config, name);
    const labels = at === 0 ? { ...pool.labels, [CONTROL_PLANE_LABEL]: '' } : pool.labels;
    return { ...shared, index: at + 1, nodes: pools.length, ...pool, labels };
  });
}
