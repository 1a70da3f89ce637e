import type { YamlMapping, YamlNode, YamlScalar, YamlSequence } from './node.ts';
import { LONGEST_KEY } from './possible-keys.ts';
import { resolvePlain, ScalarFault } from './resolve.ts';

/*
 * Most files use little of YAML: nested mappings and lists, values of one line, collections in brackets of one line,
 * literal texts. These are read here, some times as fast as by the full reader. Whatever is not plainly one of these
 * (anchors, tags, texts of several lines, empty values, tabs, mistakes) is not read at all, and left to that one.
 */

/** Thrown where the text is left to the full reader. */
class GiveUp extends Error {}
const GIVE_UP = new GiveUp();

/** Levels beyond which a text is left to the full reader, which says that it is too deep. */
const MAX_DEPTH = 50;

const KEY = /[A-Za-z_][A-Za-z0-9_.-]*(?=:(?: |\n))/y;
/** A plain value up to the end of its line: no `: ` in it, no `:` at its end, no comment. */
const PLAIN = /(?:[A-Za-z0-9_./$~+=<(]|-(?=[^ \n]))(?:[^:#\n]|:(?=[^ \n])|(?<! )#)*/y;
/** In brackets, brackets, commas and quotes end a value or make it unclear. */
const FLOW_PLAIN = /(?:[A-Za-z0-9_./$~+=<(]|-(?=[A-Za-z0-9]))(?:[^:#\n,[\]{}'"&*!|>%@`?]|:(?=[A-Za-z0-9/_.]))*/y;
const FLOW_KEY = /[A-Za-z_][A-Za-z0-9_]*(?=: )/y;
const SINGLE = /'((?:[^'\n]|'')*)'/y;
const DOUBLE = /"((?:[^"\\\n]|\\["\\nt])*)"/y;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', '"': '"', '\\': '\\' };
/** The rest of a line after a value: blanks and a comment. */
const REST = / *(?: #[^\n]*)?\n/y;
const BLANKS = /(?: *(?:#[^\n]*)?\n)*/y;
const LITERAL = /([|>])(-?)\n/y;
/** Tabs, line ends of other systems and alphabets, and characters that YAML does not allow. */
const UNUSUAL = /[\0-\t\v-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]/;

/** The document's mapping, or undefined where the full reader is to read it. */
export function tryQuick(text: string): YamlMapping | undefined {
  if (!text.endsWith('\n') || UNUSUAL.test(text)) return undefined;
  try {
    return new Quick(text).document();
  } catch (error) {
    if (error instanceof GiveUp || error instanceof ScalarFault) return undefined;
    throw error;
  }
}

class Quick {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): YamlMapping {
    const indent = this.#nextLine();
    if (indent !== 0) throw GIVE_UP;
    const root = this.#mapping(0);
    if (this.#at < this.#text.length) throw GIVE_UP;
    return root;
  }

  /** Goes to the next line with something on it and past its indentation, which is given; -1 at the end. */
  #nextLine(): number {
    this.#skip(BLANKS);
    const start = this.#at;
    if (start === this.#text.length) return -1;
    while (this.#text.charCodeAt(this.#at) === 0x20) this.#at += 1;
    return this.#at - start;
  }

  /** Entries from here, and on lines with the same indentation. */
  #mapping(indent: number): YamlMapping {
    this.#deeper();
    const start = this.#at;
    const entries: (readonly [YamlNode, YamlNode])[] = [];
    const seen = new Set<string>();
    let found = indent;
    while (found === indent) {
      const key = this.#key(KEY, seen);
      const value = this.#value(indent, true);
      entries.push([key, value]);
      found = this.#nextLine();
    }
    this.#leave(found, indent);
    return { kind: 'mapping', entries, start, end: entries.at(-1)?.[1].end ?? start };
  }

  /** Back to the start of a line that belongs further out. */
  #leave(found: number, indent: number): void {
    if (found > indent) throw GIVE_UP;
    if (found >= 0) this.#at -= found;
    this.#depth -= 1;
  }

  #deeper(): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw GIVE_UP;
  }

  #key(pattern: RegExp, seen: Set<string>): YamlScalar {
    const start = this.#at;
    const text = this.#take(pattern)[0];
    if (text.length > LONGEST_KEY) throw GIVE_UP;
    const key = plain(text, start);
    const name = `${typeof key.value}:${String(key.value)}`;
    // A second one is a fault to be told.
    if (seen.has(name)) throw GIVE_UP;
    seen.add(name);
    this.#at += 1;
    return key;
  }

  #sequence(indent: number): YamlSequence {
    this.#deeper();
    const start = this.#at;
    const items: YamlNode[] = [];
    let found = indent;
    while (found === indent && this.#isDash()) {
      const line = this.#at;
      this.#at += 2;
      while (this.#text.charCodeAt(this.#at) === 0x20) this.#at += 1;
      const column = indent + this.#at - line;
      if (this.#isDash()) items.push(this.#sequence(column));
      else if (this.#matches(KEY)) items.push(this.#mapping(column));
      else items.push(this.#value(indent, false));
      found = this.#nextLine();
    }
    if (found === indent) {
      // The key that follows a list which stands below its own key without more indentation.
      this.#depth -= 1;
      this.#at -= found;
    } else this.#leave(found, indent);
    return { kind: 'sequence', items, start, end: items.at(-1)?.end ?? start };
  }

  #isDash(): boolean {
    return this.#text.charCodeAt(this.#at) === 0x2d && this.#text.charCodeAt(this.#at + 1) === 0x20;
  }

  /** The value after `key:` or `- ` in a block of an indentation, to the end of its last line. */
  #value(indent: number, afterKey: boolean): YamlNode {
    if (afterKey && this.#matches(REST)) return this.#below(indent);
    while (this.#text.charCodeAt(this.#at) === 0x20) this.#at += 1;
    if (this.#matches(LITERAL)) return this.#literal(indent);
    const value = this.#inline(PLAIN);
    this.#take(REST);
    // A line that is indented more would make this a text of several lines.
    const back = this.#at;
    if (value.kind === 'scalar' && this.#nextLine() > indent) throw GIVE_UP;
    this.#at = back;
    return value;
  }

  /** A block on the lines below its key. */
  #below(indent: number): YamlNode {
    this.#take(REST);
    const found = this.#nextLine();
    if (this.#isDash() && found >= indent) return this.#sequence(found);
    if (found <= indent) throw GIVE_UP;
    return this.#mapping(found);
  }

  #inline(pattern: RegExp): YamlNode {
    const start = this.#at;
    switch (this.#text[start]) {
      case '[':
        return this.#list();
      case '{':
        return this.#map();
      case "'": {
        const [whole, inner = ''] = this.#take(SINGLE);
        return quoted(inner.replaceAll("''", "'"), start, start + whole.length);
      }
      case '"': {
        const [whole, inner = ''] = this.#take(DOUBLE);
        const text = inner.includes('\\') ? inner.replace(/\\(.)/g, (_, sign: string) => ESCAPES[sign] ?? '') : inner;
        return quoted(text, start, start + whole.length);
      }
      default: {
        const text = this.#take(pattern)[0].replace(/ +$/, '');
        this.#at = start + text.length;
        return plain(text, start);
      }
    }
  }

  #list(): YamlSequence {
    this.#deeper();
    const start = this.#at;
    const items: YamlNode[] = [];
    this.#inside();
    while (this.#text[this.#at] !== ']') {
      if (items.length > 0) this.#comma();
      items.push(this.#inline(FLOW_PLAIN));
      this.#spaces();
    }
    this.#at += 1;
    this.#depth -= 1;
    return { kind: 'sequence', items, start, end: this.#at };
  }

  #map(): YamlMapping {
    this.#deeper();
    const start = this.#at;
    const entries: (readonly [YamlNode, YamlNode])[] = [];
    const seen = new Set<string>();
    this.#inside();
    while (this.#text[this.#at] !== '}') {
      if (entries.length > 0) this.#comma();
      const key = this.#key(FLOW_KEY, seen);
      this.#spaces();
      entries.push([key, this.#inline(FLOW_PLAIN)]);
      this.#spaces();
    }
    this.#at += 1;
    this.#depth -= 1;
    return { kind: 'mapping', entries, start, end: this.#at };
  }

  #inside(): void {
    this.#at += 1;
    this.#spaces();
  }
  #comma(): void {
    if (this.#text[this.#at] !== ',') throw GIVE_UP;
    this.#inside();
  }
  #spaces(): void {
    while (this.#text.charCodeAt(this.#at) === 0x20) this.#at += 1;
  }

  /** Lines below `|` as they are, or below `>` as one; the last line end stays but for `-`. */
  #literal(indent: number): YamlScalar {
    const start = this.#at;
    const [, style, chomp] = this.#take(LITERAL);
    const first = this.#at;
    this.#spaces();
    const own = this.#at - first;
    if (own <= indent || this.#text[this.#at] === '\n') throw GIVE_UP;
    this.#at = first;
    const lines: string[] = [];
    let end = first;
    while (this.#at < this.#text.length) {
      const line = this.#at;
      const close = this.#text.indexOf('\n', line);
      this.#spaces();
      const blanks = Math.min(this.#at, close) - line;
      if (this.#at === close) {
        // Blank lines count within the text; with blanks on them, what they count for is intricate.
        if (blanks > 0 || style === '>') throw GIVE_UP;
        lines.push('');
      } else if (blanks >= own) {
        if (style === '>' && blanks > own) throw GIVE_UP;
        lines.push(this.#text.slice(line + own, close));
        end = close + 1;
      } else if (blanks <= indent) {
        this.#at = line;
        break;
      } else throw GIVE_UP;
      this.#at = close + 1;
    }
    while (lines.at(-1) === '') lines.pop();
    this.#at = end;
    const text = lines.join(style === '|' ? '\n' : ' ') + (chomp === '-' ? '' : '\n');
    return quoted(text, start, end);
  }

  #matches(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    return pattern.test(this.#text);
  }
  #take(pattern: RegExp): RegExpExecArray {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) throw GIVE_UP;
    this.#at = pattern.lastIndex;
    return match;
  }
  #skip(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    if (pattern.test(this.#text)) this.#at = pattern.lastIndex;
  }
}

function plain(text: string, start: number): YamlScalar {
  const value = resolvePlain(text);
  return { kind: 'scalar', text, value, typed: typeof value !== 'string', start, end: start + text.length };
}

const quoted = (text: string, start: number, end: number): YamlScalar => ({
  kind: 'scalar',
  text,
  value: text,
  typed: false,
  start,
  end,
});
