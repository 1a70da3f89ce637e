import { MAX_LEVELS } from './composed.ts';
import type { YamlNode } from './node.ts';
import { syntaxFault } from './syntax-fault.ts';
import * as words from './syntax-words.ts';
import type { Token } from './token.ts';

/** Nodes that aliases stand for: a few lines of them can stand for billions. */
const MAX_NODES = 20_000;

/** How many nodes a node has in it, itself too, and how many levels. */
interface Measure {
  size: number;
  depth: number;
}

interface Anchored extends Measure {
  /** Undefined while it is read. */
  node: YamlNode | undefined;
}

interface Outer extends Measure {
  readonly held: Anchored | undefined;
}

/** Anchors, and what their aliases stand for, within bounds. Nodes are measured while they are read. */
export class Anchors {
  readonly #held = new Map<string, Anchored>();
  /** Size and depth of the node that is read now. */
  #size = 0;
  #depth = 0;
  #aliased = 0;

  /** A node begins. @throws FaultError */
  begin(anchor: Token | undefined): Outer {
    const outer = { size: this.#size, depth: this.#depth };
    this.#size = 1;
    this.#depth = 1;
    if (anchor === undefined) return { ...outer, held: undefined };
    if (this.#held.has(anchor.text)) throw syntaxFault(words.duplicateAnchor(anchor.text), anchor);
    const held = { node: undefined, size: 0, depth: 0 };
    this.#held.set(anchor.text, held);
    return { ...outer, held };
  }

  end({ held, size, depth }: Outer, node: YamlNode): void {
    if (held !== undefined) Object.assign(held, { node, size: this.#size, depth: this.#depth });
    this.#size += size;
    this.#depth = Math.max(depth, this.#depth + 1);
  }

  /** A value that nothing stands for. */
  count(): void {
    this.#size += 1;
  }

  /** @throws FaultError */
  follow(alias: Token, level: number): YamlNode {
    const held = this.#held.get(alias.text);
    if (held === undefined) throw syntaxFault(words.unknownAlias(alias.text), alias);
    if (held.node === undefined) throw syntaxFault(words.aliasWithin(alias.text), alias);
    this.#aliased += held.size;
    if (this.#aliased > MAX_NODES)
      throw syntaxFault({ message: `aliases stand for more than ${MAX_NODES} values` }, alias);
    if (level + held.depth > MAX_LEVELS + 1)
      throw syntaxFault({ message: `nested more than ${MAX_LEVELS} levels deep` }, alias);
    this.#size += held.size;
    this.#depth = Math.max(this.#depth, held.depth + 1);
    return held.node;
  }
}
