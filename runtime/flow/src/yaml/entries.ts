import type { YamlNode, YamlScalar } from './node.ts';

/** The entries of a mapping; a key that is there already is noted. */
export class Entries {
  readonly list: (readonly [YamlNode, YamlNode])[] = [];
  readonly #seen = new Set<string>();
  readonly #duplicates: YamlScalar[];
  constructor(duplicates: YamlScalar[]) {
    this.#duplicates = duplicates;
  }
  put(key: YamlNode, value: YamlNode): void {
    this.list.push([key, value]);
    if (key.kind !== 'scalar') return;
    const name = `${typeof key.value}:${String(key.value)}`;
    if (this.#seen.has(name)) this.#duplicates.push(key);
    this.#seen.add(name);
  }
}

/** A block ends with the last of its values. */
export const endOf = (nodes: readonly YamlNode[], start: number): number => nodes.at(-1)?.end ?? start;
