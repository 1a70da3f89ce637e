import { isAlias, isMap, isPair, isScalar, isSeq, type Node as LibraryNode, parseAllDocuments } from 'yaml';
import type { Span, YamlMapping, YamlNode, YamlScalar } from './node.ts';
import { tryQuick } from './quick.ts';
import { resolvePlain, ScalarFault } from './resolve.ts';

/** A text that is no YAML, or none that flows may use. */
export interface YamlFault extends Span {
  readonly kind: 'text' | 'syntax' | 'tag';
  readonly message: string;
  readonly hint?: string;
}

/** A file as nodes. `root` is undefined where faults left nothing to look at. */
export interface Composed {
  readonly root: YamlNode | undefined;
  readonly faults: readonly YamlFault[];
  /** Keys that stand twice in one mapping: the later one counts. */
  readonly duplicates: readonly YamlScalar[];
}

/** More than any hand writes. */
export const MAX_BYTES = 1024 * 1024;
/** Levels; the language itself has nine. */
const MAX_LEVELS = 64;
/** Nodes that aliases stand for: a few lines of them can stand for billions. */
const MAX_NODES = 20_000;

/** Characters that YAML 1.1 does not allow (section 5.1), as PyYAML checks them. */
const UNPRINTABLE = /[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/** Reads one YAML 1.1 document. Never throws: all that is wrong is in `faults`. */
export function composeYaml(text: string): Composed {
  const refused = (fault: YamlFault): Composed => ({ root: undefined, faults: [fault], duplicates: [] });
  if (text.length > MAX_BYTES) {
    return refused({
      kind: 'text',
      message: `larger than ${MAX_BYTES / 1024} KiB`,
      hint: 'this is hardly the file that was meant',
      start: 0,
      end: 0,
    });
  }
  const bad = UNPRINTABLE.exec(text);
  if (bad !== null) {
    const code = (bad[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return refused({
      kind: 'text',
      message: `the character U+${code} cannot stand in YAML`,
      hint: 'remove it, or write it as an escape in double quotes',
      start: bad.index,
      end: bad.index + 1,
    });
  }
  const quick = tryQuick(text);
  if (quick !== undefined) return { root: quick, faults: [], duplicates: [] };
  const deep = tooDeep(text);
  if (deep !== undefined)
    return refused({
      kind: 'syntax',
      message: `nested more than ${MAX_LEVELS} levels deep`,
      start: deep,
      end: deep + 1,
    });
  return composeSlowly(text);
}

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

/** A bound on nesting that is cheap: brackets, and starts of blocks by their indentation. */
function tooDeep(text: string): number | undefined {
  let open = 0;
  const indents: number[] = [];
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\n', at);
    const line = text.slice(at, end === -1 ? text.length : end);
    const [, blanks = ''] = /^( *)/.exec(line) as RegExpExecArray;
    if (line.trim() !== '') {
      while (indents.length > 0 && (indents.at(-1) as number) >= blanks.length) indents.pop();
      indents.push(blanks.length);
      const dashes = /^(?: *[-?:](?= ))+/.exec(line)?.[0].replace(/ /g, '').length ?? 0;
      for (const char of line) {
        if (char === '[' || char === '{') open += 1;
        else if ((char === ']' || char === '}') && open > 0) open -= 1;
        if (open > 8 * MAX_LEVELS) return at;
      }
      if (indents.length + dashes > 4 * MAX_LEVELS) return at;
    }
    at = end === -1 ? text.length : end + 1;
  }
  return undefined;
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
