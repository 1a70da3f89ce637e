/**
 * One `inet` table of nftables as plain data. Rules are text in the very form in which nft lists them, so that a
 * listing can be compared with what should be there.
 */
export interface Table {
  readonly name: string;
  readonly sets: ReadonlyMap<string, NftSet>;
  /** Verdict maps by name: Pod address → verdict. */
  readonly maps: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly chains: ReadonlyMap<string, Chain>;
}

export interface NftSet {
  readonly type: string;
  readonly elements: ReadonlySet<string>;
}

export interface Chain {
  /** Of a base chain: `type filter hook … priority …; policy …;` */
  readonly hook?: string;
  /** At most 127 bytes; the policy that the chain is made of. */
  readonly comment?: string;
  readonly rules: readonly string[];
}

export const MAP_TYPE = 'ipv4_addr : verdict';

/** The whole table, replacing in one transaction whatever table of that name there is. */
export function renderTable(table: Table): string {
  const lines = [...renderRemoval(table.name), `table inet ${table.name} {`];
  for (const [name, set] of table.sets) lines.push(...block('set', name, set.type, [...set.elements]));
  for (const [name, map] of table.maps) lines.push(...block('map', name, MAP_TYPE, mapElements(map)));
  for (const [name, chain] of table.chains) {
    lines.push(`  chain ${name} {`, ...chainBody(chain).map((line) => `    ${line}`), '  }');
  }
  lines.push('}', '');
  return lines.join('\n');
}

/** Removes the table whether or not it is there: naming it first makes it. */
export function renderRemoval(name: string): readonly string[] {
  return [`table inet ${name}`, `delete table inet ${name}`];
}

/**
 * The transaction that turns one table into the other, touching only what differs; '' when nothing does. Undefined
 * when base chains or types differ, which only the whole table can change.
 */
export function renderChange(from: Table, to: Table): string | undefined {
  const table = `inet ${to.name}`;
  const before: string[] = [];
  const elements: string[] = [];
  const rules: string[] = [];
  const after: string[] = [];

  if (from.name !== to.name || [...to.maps.keys()].join() !== [...from.maps.keys()].join()) return undefined;
  for (const [name, set] of to.sets) {
    const old = from.sets.get(name);
    if (old === undefined) before.push(`add set ${table} ${name} { type ${set.type}; }`);
    else if (old.type !== set.type) return undefined;
    elements.push(...elementChange(`${table} ${name}`, old?.elements ?? new Set(), set.elements));
  }
  for (const [name, chain] of to.chains) {
    const old = from.chains.get(name);
    if (old?.hook !== chain.hook || (old !== undefined && old.comment !== chain.comment)) return undefined;
    if (old !== undefined && same(old.rules, chain.rules)) continue;
    const comment = chain.comment === undefined ? '' : ` { comment "${chain.comment}"; }`;
    if (old === undefined) before.push(`add chain ${table} ${name}${comment}`);
    else rules.push(`flush chain ${table} ${name}`);
    rules.push(...chain.rules.map((rule) => `add rule ${table} ${name} ${rule}`));
  }
  for (const [name, map] of to.maps) {
    elements.push(
      ...elementChange(
        `${table} ${name}`,
        new Set(mapElements(from.maps.get(name) ?? new Map())),
        new Set(mapElements(map)),
      ),
    );
  }
  const goneChains = [...from.chains].filter(([name]) => !to.chains.has(name));
  if (goneChains.some(([, chain]) => chain.hook !== undefined)) return undefined;
  // Emptied first, so that no chain that goes is still jumped to by another that goes.
  after.push(...goneChains.map(([name]) => `flush chain ${table} ${name}`));
  after.push(...goneChains.map(([name]) => `delete chain ${table} ${name}`));
  for (const name of from.sets.keys()) if (!to.sets.has(name)) after.push(`delete set ${table} ${name}`);

  const lines = [...before, ...rules, ...elements, ...after];
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function elementChange(target: string, from: ReadonlySet<string>, to: ReadonlySet<string>): readonly string[] {
  const gone = [...from].filter((element) => !to.has(element));
  const added = [...to].filter((element) => !from.has(element));
  return [
    ...(gone.length === 0 ? [] : [`delete element ${target} { ${gone.join(', ')} }`]),
    ...(added.length === 0 ? [] : [`add element ${target} { ${added.join(', ')} }`]),
  ];
}

function chainBody(chain: Chain): readonly string[] {
  return [
    ...(chain.hook === undefined ? [] : [chain.hook]),
    ...(chain.comment === undefined ? [] : [`comment "${chain.comment}"`]),
    ...chain.rules,
  ];
}

function mapElements(map: ReadonlyMap<string, string>): readonly string[] {
  return [...map].map(([key, verdict]) => `${key} : ${verdict}`);
}

function block(kind: string, name: string, type: string, elements: readonly string[]): readonly string[] {
  const list = elements.length === 0 ? [] : [`    elements = { ${elements.join(', ')} }`];
  return [`  ${kind} ${name} {`, `    type ${type}`, ...list, '  }'];
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, index) => line === b[index]);
}
