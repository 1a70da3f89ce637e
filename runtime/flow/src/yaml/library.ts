import { isAlias, isMap, isPair, isScalar, isSeq, type Node as LibraryNode, parseAllDocuments } from 'yaml';
import { type Composed, MAX_LEVELS, type YamlFault } from './composed.ts';
import type { Span, YamlMapping, YamlNode, YamlScalar } from './node.ts';
import { resolvePlain, ScalarFault } from './resolve.ts';

/** Nodes that aliases stand for: a few lines of them can stand for billions. */
const MAX_NODES = 20_000;

/** Reads a document with the library, which reads all of YAML. */
export function composeSlowly(text: string): Composed {
  const refused = (fault: YamlFault): Composed => ({ root: undefined, faults: [fault], duplicates: [] });
  try {
    return compose(text);
  } catch (error) {
    if (error instanceof RangeError) return refused({ kind: 'syntax', message: 'nested too deeply', start: 0, end: 0 });
    throw error;
  }
}

function compose(text: string): Composed {
  const documents = parseAllDocuments(text, {
    version: '1.1',
    schema: 'failsafe',
    merge: false,
    resolveKnownTags: false,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const list = Array.isArray(documents) ? documents : [];
  const [document, second] = list;
  if (document === undefined) {
    return {
      root: undefined,
      faults: [{ kind: 'syntax', message: 'the file is empty', start: 0, end: 0 }],
      duplicates: [],
    };
  }
  const faults: YamlFault[] = document.errors.map(({ code, message, pos }) => ({
    kind: 'syntax',
    message: inWords(code, message),
    start: pos[0],
    end: pos[1],
  }));
  if (second !== undefined) {
    const start = second.range?.[0] ?? 0;
    faults.push({
      kind: 'syntax',
      message: 'a second document begins here (---); one is expected',
      start,
      end: start + 3,
    });
  }
  if (faults.length > 0) return { root: undefined, faults, duplicates: [] };
  const reader = new Reader(text, document.contents);
  return reader.result();
}

class Reader {
  readonly #faults: YamlFault[] = [];
  readonly #duplicates: YamlScalar[] = [];
  readonly #anchors = new Map<string, LibraryNode>();
  readonly #contents: LibraryNode | null;
  readonly #text: string;
  /** Aliases that are being followed, and nodes read there. */
  #within = 0;
  #nodes = 0;

  constructor(text: string, contents: LibraryNode | null) {
    this.#text = text;
    this.#contents = contents;
  }

  result(): Composed {
    const root = this.#read(this.#contents, 0, []);
    const [first] = this.#faults;
    // Past its bounds, what was read is a torso.
    const torso = this.#nodes > MAX_NODES || first?.message.startsWith('nested') === true;
    return { root: torso ? undefined : root, faults: this.#faults, duplicates: this.#duplicates };
  }

  #read(node: unknown, level: number, within: readonly LibraryNode[]): YamlNode {
    if (this.#within > 0) this.#nodes += 1;
    if (this.#nodes > MAX_NODES) {
      if (this.#nodes === MAX_NODES + 1)
        this.#fault('syntax', `aliases stand for more than ${MAX_NODES} values`, { start: 0, end: 0 });
      return EMPTY;
    }
    if (isAlias(node)) return this.#alias(node, level, within);
    if (node === null || node === undefined) return EMPTY;
    const span = spanOf(node as LibraryNode);
    if (level > MAX_LEVELS) {
      this.#fault('syntax', `nested more than ${MAX_LEVELS} levels deep`, span);
      return EMPTY;
    }
    const { anchor, tag } = node as { anchor?: string; tag?: string };
    if (anchor !== undefined) this.#anchors.set(anchor, node as LibraryNode);
    if (isScalar(node)) return this.#scalar(node as ScalarLike, span);
    const path = [...within, node as LibraryNode];
    if (isSeq(node)) {
      this.#tagged(tag, 'tag:yaml.org,2002:seq', span);
      return { kind: 'sequence', items: node.items.map((item) => this.#item(item, level + 1, path)), ...span };
    }
    if (isMap(node)) {
      this.#tagged(tag, 'tag:yaml.org,2002:map', span);
      return this.#mapping(node.items, level, path, span);
    }
    return EMPTY;
  }

  /** In a flow sequence `[a: b]`, an item is a mapping of one pair. */
  #item(item: unknown, level: number, within: readonly LibraryNode[]): YamlNode {
    if (!isPair(item)) return this.#read(item, level, within);
    return this.#mapping([item], level, within, spanOf(item.key as LibraryNode));
  }

  #mapping(items: readonly unknown[], level: number, within: readonly LibraryNode[], span: Span): YamlMapping {
    const entries: (readonly [YamlNode, YamlNode])[] = [];
    const seen = new Set<string>();
    for (const pair of items) {
      if (!isPair(pair)) continue;
      const key = this.#read(pair.key, level + 1, within);
      const value =
        pair.value === null ? { ...EMPTY, start: key.end, end: key.end } : this.#read(pair.value, level + 1, within);
      if (key.kind === 'scalar') {
        const name = `${typeof key.value}:${String(key.value)}`;
        if (seen.has(name)) this.#duplicates.push(key);
        seen.add(name);
      }
      entries.push([key, value]);
    }
    return { kind: 'mapping', entries, ...span };
  }

  #alias(node: { source: string; range?: unknown }, level: number, within: readonly LibraryNode[]): YamlNode {
    const span = spanOf(node as unknown as LibraryNode);
    const target = this.#anchors.get(node.source);
    if (target === undefined) {
      this.#fault('syntax', `there is no anchor \`&${node.source}\` before this alias`, span);
      return { ...EMPTY, ...span };
    }
    if (within.includes(target)) {
      this.#fault('syntax', `the alias \`*${node.source}\` stands inside of what it names`, span);
      return { ...EMPTY, ...span };
    }
    this.#within += 1;
    const read = this.#read(target, level, within);
    this.#within -= 1;
    return read;
  }

  #scalar(node: ScalarLike, span: Span): YamlScalar {
    const text = String(node.value ?? '');
    const plain = node.type === 'PLAIN' || node.type === undefined || node.type === null;
    const explicit =
      node.tag !== undefined && this.#text[tagStart(this.#text, span.start)] === '!' ? node.tag : undefined;
    const base = { kind: 'scalar' as const, text, ...span };
    try {
      if (explicit === undefined) {
        const value = plain ? resolvePlain(text) : text;
        return { ...base, value, typed: plain && typeof value !== 'string' };
      }
      if (explicit === '!') return { ...base, value: resolvePlain(text), typed: false };
      return { ...base, value: taggedScalar(explicit, text), typed: explicit !== 'tag:yaml.org,2002:str' };
    } catch (error) {
      if (!(error instanceof ScalarFault)) throw error;
      this.#fault(explicit === undefined ? 'syntax' : 'tag', error.message, span);
      return { ...base, value: text, typed: false };
    }
  }

  #tagged(tag: string | undefined, normal: string, span: Span): void {
    if (tag === undefined || tag === normal || tag === '!') return;
    this.#fault('tag', `the tag \`${tag}\` is not taken`, span, 'remove it');
  }

  #fault(kind: YamlFault['kind'], message: string, span: Span, hint?: string): void {
    this.#faults.push({ kind, message, start: span.start, end: span.end, ...(hint === undefined ? {} : { hint }) });
  }
}

interface ScalarLike {
  readonly value: unknown;
  readonly type?: string | null;
  readonly tag?: string;
}

const EMPTY: YamlScalar = { kind: 'scalar', value: null, text: '', typed: true, start: 0, end: 0 };

/** The library's failsafe schema gives every scalar the tag of text; only one that is written counts. */
function tagStart(text: string, start: number): number {
  const before = /![^\s]*(?:[ \t]+&[^\s]+)?\s+$/.exec(text.slice(Math.max(0, start - 200), start));
  return before === null ? -1 : Math.max(0, start - 200) + before.index;
}

function taggedScalar(tag: string, text: string): YamlScalar['value'] {
  const name = /^tag:yaml\.org,2002:(str|int|float|bool|null)$/.exec(tag)?.[1];
  if (name === 'str') return text;
  if (name === 'null') return null;
  const value = name === undefined ? undefined : resolvePlain(text);
  const fits =
    (name === 'int' && typeof value === 'bigint') ||
    (name === 'bool' && typeof value === 'boolean') ||
    (name === 'float' && (typeof value === 'number' || typeof value === 'bigint'));
  if (!fits) throw new ScalarFault(`the tag \`${tag.replace('tag:yaml.org,2002:', '!!')}\` is not taken here`);
  return name === 'float' ? Number(value) : (value as YamlScalar['value']);
}

function spanOf(node: LibraryNode): Span {
  const [start = 0, end = 0] = node?.range ?? [];
  return { start, end };
}

/** The faults that people make most, said in their terms; the library's own words for the rest. */
function inWords(code: string, message: string): string {
  switch (code) {
    case 'TAB_AS_INDENT':
      return 'a tab is used to indent; YAML takes spaces only';
    case 'BAD_INDENT':
      return 'the indentation does not fit the lines above';
    default:
      return (message.split('\n')[0] ?? message).replace(/ at line \d+, column \d+:?$/, '');
  }
}
