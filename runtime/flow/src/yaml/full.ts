import { Anchors } from './anchors.ts';
import { type Composed, MAX_LEVELS, type YamlFault } from './composed.ts';
import { Entries, endOf } from './entries.ts';
import type { Span, YamlNode, YamlScalar } from './node.ts';
import { Scanner } from './scanner.ts';
import { brokenBlock, brokenBrackets, described } from './suspect.ts';
import { FaultError, syntaxFault } from './syntax-fault.ts';
import * as words from './syntax-words.ts';
import { scalarNode } from './tagged.ts';
import type { Token, TokenType } from './token.ts';

/** Reads a document, whatever of YAML it uses, as apolo-flow does. */
export function readFully(text: string): Composed {
  const reader = new Reader(text);
  try {
    const root = reader.document();
    return { root, faults: reader.faults, duplicates: reader.duplicates };
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    return { root: undefined, faults: [error.fault], duplicates: [] };
  }
}

const STANDARD = 'tag:yaml.org,2002:';

/** The grammar of tokens, as PyYAML's parser has it, and the nodes that they make. */
class Reader {
  readonly faults: YamlFault[] = [];
  readonly duplicates: YamlScalar[] = [];
  readonly #text: string;
  readonly #scanner: Scanner;
  readonly #anchors = new Anchors();
  #handles: Record<string, string> = {};
  #before: Token | undefined;
  #level = 0;

  constructor(text: string) {
    this.#text = text;
    this.#scanner = new Scanner(text);
  }

  document(): YamlNode {
    if (this.#is('end')) throw syntaxFault({ message: 'the file is empty' }, { start: 0, end: 0 });
    let root: YamlNode;
    if (this.#is('directive', '---')) root = this.#explicit();
    else {
      this.#handles = { '!': '!', '!!': STANDARD };
      root = this.#node(true);
    }
    if (this.#is('...')) {
      this.#take();
      while (this.#is('...')) this.#take();
    }
    const rest = this.#scanner.peek();
    if (rest.type === 'end') return root;
    if (rest.type === '---' || rest.type === 'directive') throw syntaxFault(words.secondDocument, rest);
    if (rest.type === 'mapping' || rest.type === 'sequence' || rest.type === 'key')
      throw brokenBlock(this.#text, 'mapping', rest, this.#before, this.#scanner.levels);
    throw syntaxFault(words.afterEnd, { start: rest.start, end: Math.max(rest.end, rest.start + 1) });
  }

  #explicit(): YamlNode {
    const handles: Record<string, string> = {};
    let version = false;
    while (this.#is('directive')) {
      const token = this.#take();
      const [name, first = '', prefix = ''] = token.text.split(' ');
      const twice = (name === 'YAML' && version) || (name === 'TAG' && Object.hasOwn(handles, first));
      if (twice || (name === 'YAML' && Number(first) !== 1)) throw syntaxFault(words.wrongDirective, token);
      if (name === 'YAML') version = true;
      if (name === 'TAG') handles[first] = prefix;
    }
    this.#handles = { '!': '!', '!!': STANDARD, ...handles };
    const start = this.#scanner.peek();
    if (start.type !== '---') throw syntaxFault(words.noDocumentStart, start);
    const { end } = this.#take();
    return this.#is('directive', '---', '...', 'end') ? this.#empty(end) : this.#node(true);
  }

  #is(...types: readonly TokenType[]): boolean {
    return types.includes(this.#scanner.peek().type);
  }

  #take(): Token {
    const token = this.#scanner.take();
    if (token.end > token.start) this.#before = token;
    return token;
  }

  /** A value. `block`: blocks may begin here; `listBelow`: so may a list that is indented no more than its key. */
  #node(block: boolean, listBelow = false): YamlNode {
    if (this.#is('alias')) return this.#anchors.follow(this.#take(), this.#level);
    let anchor: Token | undefined;
    let tag: Token | undefined;
    if (this.#is('anchor')) {
      anchor = this.#take();
      if (this.#is('tag')) tag = this.#take();
    } else if (this.#is('tag')) {
      tag = this.#take();
      if (this.#is('anchor')) anchor = this.#take();
    }
    const token = this.#scanner.peek();
    this.#level += 1;
    if (this.#level > MAX_LEVELS + 1)
      throw syntaxFault({ message: `nested more than ${MAX_LEVELS} levels deep` }, token);
    const outer = this.#anchors.begin(anchor);
    const name = tag === undefined ? undefined : this.#tagName(tag);
    const node = this.#content(token, block, listBelow, name, tag ?? anchor);
    this.#anchors.end(outer, node);
    this.#level -= 1;
    return node;
  }

  #content(
    token: Token,
    block: boolean,
    listBelow: boolean,
    tag: string | undefined,
    property: Token | undefined,
  ): YamlNode {
    if (token.type === 'scalar') {
      this.#take();
      return scalarNode(token.text, token.style === '', tag, token, this.faults);
    }
    const sequence = (listBelow && token.type === '-') || token.type === '[' || (block && token.type === 'sequence');
    if (sequence) {
      this.#collectionTag(tag, 'seq', token);
      if (token.type === '-') return this.#listBelow(token);
      return token.type === '[' ? this.#flowSequence() : this.#blockSequence();
    }
    if (token.type === '{' || (block && token.type === 'mapping')) {
      this.#collectionTag(tag, 'map', token);
      return token.type === '{' ? this.#flowMapping() : this.#blockMapping();
    }
    if (property !== undefined) {
      const at = { start: property.end, end: property.end };
      return scalarNode('', true, tag, at, this.faults);
    }
    throw this.#noContent(token);
  }

  #noContent(token: Token): FaultError {
    const span = { start: token.start, end: Math.max(token.end, token.start + 1) };
    if (token.type === 'block end' || token.type === 'end')
      return syntaxFault(words.emptyContent(described(token)), span);
    if (token.type === 'mapping' || token.type === 'sequence' || token.type === 'key')
      return brokenBlock(this.#text, 'mapping', token, this.#before, this.#scanner.levels);
    return syntaxFault(words.wrongStart(token.type), span);
  }

  #tagName({ handle, text, start, end }: Token): string {
    if (handle === undefined) return text;
    const prefix = Object.hasOwn(this.#handles, handle) ? this.#handles[handle] : undefined;
    if (prefix === undefined) throw syntaxFault(words.unknownHandle(handle), { start, end });
    return prefix + text;
  }

  #collectionTag(tag: string | undefined, kind: 'seq' | 'map', span: Span): void {
    if (tag === undefined || tag === '!' || tag === STANDARD + kind) return;
    this.faults.push({
      kind: 'tag',
      message: `the tag \`${tag.replace(STANDARD, '!!')}\` is not accepted`,
      hint: 'remove it',
      start: span.start,
      end: Math.max(span.end, span.start + 1),
    });
  }

  #blockSequence(): YamlNode {
    const { start } = this.#take();
    const items: YamlNode[] = [];
    while (this.#is('-')) {
      const { end } = this.#take();
      items.push(this.#is('-', 'block end') ? this.#empty(end) : this.#node(true));
    }
    this.#blockEnd('sequence');
    return { kind: 'sequence', items, start, end: endOf(items, start) };
  }

  /** A list that is indented no more than its key. */
  #listBelow({ start }: Token): YamlNode {
    const items: YamlNode[] = [];
    while (this.#is('-')) {
      const { end } = this.#take();
      items.push(this.#is('-', 'key', ':', 'block end') ? this.#empty(end) : this.#node(true));
    }
    return { kind: 'sequence', items, start, end: endOf(items, start) };
  }

  #blockMapping(): YamlNode {
    const { start } = this.#take();
    const entries = new Entries(this.duplicates);
    while (this.#is('key')) {
      const { end } = this.#take();
      const key = this.#is('key', ':', 'block end') ? this.#empty(end) : this.#node(true, true);
      entries.put(key, this.#blockValue(key));
    }
    this.#blockEnd('mapping');
    return { kind: 'mapping', entries: entries.list, start, end: endOf(entries.list.flat(), start) };
  }

  #blockValue(key: YamlNode): YamlNode {
    if (!this.#is(':')) return this.#empty(key.end);
    const { end } = this.#take();
    return this.#is('key', ':', 'block end') ? this.#empty(end) : this.#node(true, true);
  }

  #blockEnd(kind: 'mapping' | 'sequence'): void {
    const token = this.#scanner.peek();
    if (token.type !== 'block end') throw brokenBlock(this.#text, kind, token, this.#before, this.#scanner.levels);
    this.#take();
  }

  #flowSequence(): YamlNode {
    const open = this.#take();
    const items: YamlNode[] = [];
    while (!this.#is(']')) {
      if (items.length > 0) this.#comma(open);
      if (this.#is(']')) break;
      items.push(this.#is('key') ? this.#pair() : this.#node(false));
    }
    return { kind: 'sequence', items, start: open.start, end: this.#take().end };
  }

  /** In a list, `a: b` is a mapping of one entry. */
  #pair(): YamlNode {
    const { start, end } = this.#take();
    const key = this.#is(':', ',', ']') ? this.#empty(end) : this.#node(false);
    const value = this.#flowValue(key, ']');
    return { kind: 'mapping', entries: [[key, value]], start, end: value.end };
  }

  #flowMapping(): YamlNode {
    const open = this.#take();
    const entries = new Entries(this.duplicates);
    while (!this.#is('}')) {
      if (entries.list.length > 0) this.#comma(open);
      if (this.#is('}')) break;
      if (this.#is('key')) {
        const { end } = this.#take();
        const key = this.#is(':', ',', '}') ? this.#empty(end) : this.#node(false);
        entries.put(key, this.#flowValue(key, '}'));
      } else {
        const key = this.#node(false);
        entries.put(key, this.#empty(key.end));
      }
    }
    return { kind: 'mapping', entries: entries.list, start: open.start, end: this.#take().end };
  }

  #flowValue(key: YamlNode, close: ']' | '}'): YamlNode {
    if (!this.#is(':')) return this.#empty(key.end);
    const { end } = this.#take();
    return this.#is(',', close) ? this.#empty(end) : this.#node(false);
  }

  #comma(open: Token): void {
    if (this.#is(',')) this.#take();
    else throw brokenBrackets(open, this.#scanner.peek(), this.#before);
  }

  #empty(at: number): YamlScalar {
    this.#anchors.count();
    return { kind: 'scalar', value: null, text: '', typed: true, start: at, end: at };
  }
}
