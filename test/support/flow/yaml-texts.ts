import { FlowMaker } from './flows.ts';
import { twisted } from './yaml-twists.ts';

type Random = () => number;

/** Texts of YAML, right and wrong: all that flows use of it and much that they do not. */
export class YamlMaker {
  readonly #random: Random;
  readonly #flows: FlowMaker;
  constructor(random: Random) {
    this.#random = random;
    this.#flows = new FlowMaker(random);
  }

  /** Changed in some places or none. */
  text(): string {
    let text = this.whole();
    for (let left = Math.max(0, this.#below(5) - 2); left > 0; left--) text = twisted(text, this.#random);
    return text;
  }

  /** Mostly right. */
  whole(): string {
    if (this.#random() < 0.25) {
      const { files, path } = this.#flows.case();
      return files[path] as string;
    }
    const text = this.#mapping(0, 3);
    return this.#random() < 0.3 ? text.replace(/\n+$/, '') : text;
  }

  #mapping(indent: number, depth: number): string {
    const keys = ['a', 'b', 'c', 'd e', '"q"', "'s'", '1', '? x', '*a ', '[k]', 'tasks'];
    const pad = ' '.repeat(indent);
    return Array.from({ length: 1 + this.#below(4) }, () => {
      const rare = this.#random() < 0.15;
      const key = this.#one(rare ? keys : keys.slice(0, 5));
      const explicit = key.startsWith('?') ? `\n${pad}` : '';
      return `${this.#gap(pad)}${pad}${key}${explicit}:${this.#value(indent, depth)}`;
    }).join('');
  }

  #gap(pad: string): string {
    const roll = this.#random();
    if (roll > 0.2) return '';
    return this.#one(['\n', `${pad}# note\n`, '# note\n', `${pad}  # deeper\n`, `\n${pad}# a\n\n${pad}# b\n`, '   \n']);
  }

  /** The value after `key:` or `-`, to the end of its last line. */
  #value(indent: number, depth: number): string {
    const inner = indent + 1 + this.#below(4);
    const tail = this.#random() < 0.1 ? this.#one(['  # end', ' #', '\t', '  ']) : '';
    const roll = this.#random();
    if (depth > 0 && roll < 0.2) return `${tail}\n${this.#mapping(inner, depth - 1)}`;
    if (depth > 0 && roll < 0.35) return `${tail}\n${this.#sequence(this.#random() < 0.4 ? indent : inner, depth - 1)}`;
    if (roll < 0.55) return ` ${this.#block(inner)}`;
    if (roll < 0.65) return ` ${this.#anchor()}${this.#flow(2)}${tail}\n`;
    if (roll < 0.7) return `${tail}\n`;
    return ` ${this.#anchor()}${this.#scalar(inner)}${tail}\n`;
  }

  #anchor(): string {
    return this.#random() < 0.06 ? this.#one(['&a ', '&b ', '!!str ', '! ', '&c !!str ']) : '';
  }

  #sequence(indent: number, depth: number): string {
    const pad = ' '.repeat(indent);
    return Array.from({ length: 1 + this.#below(3) }, () => {
      if (depth > 0 && this.#random() < 0.4) {
        const wide = this.#below(3) + 1;
        return `${pad}-${' '.repeat(wide)}${this.#mapping(indent + 1 + wide, depth - 1).trimStart()}`;
      }
      return `${this.#gap(pad)}${pad}-${this.#value(indent, depth)}`;
    }).join('');
  }

  #scalar(indent: number): string {
    const on = `\n${this.#random() < 0.3 ? '\n' : ''}${' '.repeat(Math.max(0, indent - this.#below(3)))}`;
    return this.#one([
      'plain',
      'two words',
      `plain${on}goes on`,
      `plain${on}goes on  # comment`,
      `"quoted${on}goes on"`,
      `'single${on}goes on'`,
      `"ends here \\${on}goes on"`,
      "'it''s'",
      '"a\\tb\\u00e9"',
      'http://host:80/x#y',
      'a#b',
      '-x',
      ':x',
      '?x',
      'yes',
      '010',
      '1.5',
      '1:30',
      '2020-01-01',
      '~',
      '${{ params.a }}',
      '"${{ needs.a.outputs.b }}"',
      `a - b${on}- c`,
    ]);
  }

  #block(indent: number): string {
    const header = `${this.#one(['|', '>'])}${this.#one(['', '', '-', '+', '2', '1-', '+3'])}${this.#one(['', '', '', ' # c', ' '])}`;
    const pad = ' '.repeat(indent);
    const lines = Array.from({ length: this.#below(5) }, () =>
      this.#one(['text', 'more text', '', '  indented', '# no comment', '   ', 'a: b', '- c', '\tt']),
    );
    const body = lines.map((line) => (/^ *$/.test(line) && this.#random() < 0.5 ? line : pad + line));
    return `${header}\n${body.map((line) => `${line}\n`).join('')}${this.#random() < 0.2 ? '\n\n' : ''}`;
  }

  #flow(depth: number): string {
    const gap = (): string => this.#one(['', '', ' ', '\n', '\n    ', ' # c\n  ']);
    const item = (): string =>
      depth > 0 && this.#random() < 0.25
        ? this.#flow(depth - 1)
        : this.#one(['a', '1', '"q"', "'s'", 'x: y', 'a b', '"k":v', 'p:q', '*a', '? z', 'u:', '-1', '', 'x#y']);
    const items = Array.from({ length: this.#below(4) }, () => `${gap()}${item()}${gap()}`).join(',');
    const comma = this.#random() < 0.1 ? ',' : '';
    return this.#random() < 0.5 ? `[${items}${comma}${gap()}]` : `{${items}${comma}${gap()}}`;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
  #one<T>(from: readonly T[]): T {
    return from[this.#below(from.length)] as T;
  }
}
