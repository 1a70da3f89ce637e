import { LEVELS, type Level, type Node, type Pool } from '../model/model.ts';

/**
 * The domains of a node, one a level in the order of LEVELS, as paths from its cluster down, so that equal names in
 * different zones differ. A node that does not say in which rack or zone it is shares that with no other: nearness is
 * not assumed.
 */
export function domainsOf(node: Node, pool: Pool): readonly string[] {
  const own = `node ${node.name}`;
  const zone = `${pool.cluster}/${node.zone ?? own}`;
  const rack = `${zone}/${node.rack ?? own}`;
  const nvlink = `${rack}/${node.nvlink ?? own}`;
  return [`${nvlink}/${own}`, nvlink, rack, zone, pool.cluster];
}

/** Nodes by domain, domains in the order of their names. `nodes.domains`: of each node, by level. */
export function byDomain(
  nodes: { readonly domains: readonly (readonly string[])[] },
  members: readonly number[],
  level: Level,
): ReadonlyMap<string, number[]> {
  const domains = new Map<string, number[]>();
  const l = LEVELS.indexOf(level);
  for (const node of members) {
    const domain = nodes.domains[node]?.[l] ?? '';
    const list = domains.get(domain);
    if (list === undefined) domains.set(domain, [node]);
    else list.push(node);
  }
  return new Map([...domains].sort(([a], [b]) => (a < b ? -1 : 1)));
}
