import { COLLECTIONS, LOOKUPS, NUMBERS, STRINGS } from './expression-words.ts';

export type Random = () => number;

/** Makes expressions: mostly of the grammar and often with a value, sometimes broken by a small change. */
export class ExpressionMaker {
  readonly #random: Random;
  constructor(random: Random) {
    this.#random = random;
  }

  template(): string {
    const kind = this.#random();
    // The authority's parser takes twice as long for every level: most expressions are shallow.
    const inner = this.#expression(this.#one([0, 1, 1, 1, 1, 1, 2, 2]));
    const [open, close] = this.#one([
      ['${{', '}}'],
      ['${{', '}}'],
      ['$[[', ']]'],
    ] as const);
    const whole = `${open} ${inner} ${close}`;
    if (kind < 0.7) return whole;
    if (kind < 0.8) return `${this.#text()}${whole}${this.#text()}\${{ ${this.#expression(1)} }}`;
    return this.#broken(whole);
  }

  #broken(text: string): string {
    // Half of a character outside of the first plane is none.
    if (/[\ud800-\udfff]/.test(text)) return `${text}}`;
    const at = this.#int(text.length);
    const junk = this.#one([
      '',
      '',
      ' ',
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      ',',
      '.',
      ':',
      "'",
      '"',
      '-',
      '+',
      '==',
      'not',
      ' if ',
      ' or ',
      'None',
      '0',
      '\\',
      '$',
      '}}',
      ']]',
      '\n',
      '\t',
      'é',
      '1',
      '_',
      'x',
    ]);
    return text.slice(0, at) + junk + text.slice(at + this.#int(3));
  }

  #expression(depth: number): string {
    if (depth <= 0) return this.#atom();
    const sub = (): string => this.#expression(depth - 1 - this.#int(2));
    const kind = this.#int(16);
    switch (kind) {
      case 0:
      case 1:
        return `${sub()} ${this.#one(['+', '-', '*', '/', '%', '|'])} ${sub()}`;
      case 2:
        return `${sub()} ${this.#one(['==', '!=', '<', '<=', '>', '>='])} ${sub()}`;
      case 3:
        return `${sub()} ${this.#one(['and', 'or'])} ${sub()}`;
      case 4:
        return `not ${sub()}`;
      case 5:
        return `(${sub()})`;
      case 6:
        return `${sub()} if ${sub()} else ${sub()}`;
      case 7:
        return `[${this.#many(sub, 3).join(', ')}${this.#one(['', ''])}]`;
      case 8:
        return `{${this.#many(() => `${this.#key()}: ${sub()}`, 2).join(', ')} }`;
      case 9:
        return `[${this.#one(['v', 'v + v', 'str(v)', '[v, v]', 'v * 2'])} for v in ${this.#collection()}${this.#one(['', ` if ${this.#one(['v', 'len(str(v)) > 1', 'v != 1', sub()])}`])}]`;
      case 10:
        return this.#formatted(sub);
      case 11:
        return `- ${sub()}`;
      case 12:
      case 13:
      case 14:
        return this.#call(sub);
      default:
        return this.#atom();
    }
  }

  #formatted(sub: () => string): string {
    const spec = this.#one([
      '%s',
      '%d',
      '%5.2f',
      '%r',
      '%x',
      '%-6s|',
      '%+d',
      '%05d',
      '%e',
      '%g',
      '%c',
      '%%',
      '%(lr)s',
      '%o',
      '%#x',
      '%.3s',
      '%i',
      '%5s%%',
      '%a',
      '%G',
    ]);
    return `'${this.#one(['', 'a ', '['])}${spec}${this.#one(['', ' z'])}' % ${this.#one([sub(), 'params', this.#number()])}`;
  }

  #call(sub: () => string): string {
    const text = (): string => this.#one([this.#string(), sub()]);
    return this.#one([
      () => `len(${this.#one([this.#collection(), sub()])})`,
      () => `int(${this.#one([this.#number(), "'12'", "' 7 '", "'1_0'", "'x'", sub()])})`,
      () => `str(${sub()})`,
      () => `lower(${text()})`,
      () => `upper(${text()})`,
      () => `replace(${text()}, ${this.#string()}, ${this.#string()})`,
      () => `join(${this.#string()}, ${this.#collection()}${this.#one(['', ', True', ', False'])})`,
      () => `keys(${this.#one(['params', 'env', 'matrix', sub()])})`,
      () => `values(${this.#one(['params', 'env', 'inputs', sub()])})`,
      () =>
        `range(${this.#one(['3', '5', '- 2', '0', 'True', sub()])}${this.#one(['', ', 7', ', 0', ', 9, 2', ', 9, - 1', ", ''"])})`,
      () => `to_json(${this.#one([this.#collection(), sub()])})`,
      () =>
        `from_json(${this.#one(["'[1, 2.5, null]'", '\'{"a": true, "b": "\\u0041"}\'', "'1e3'", "'nope'", "'NaN'", "'[1,]'", `to_json(${sub()})`])})`,
      () => `success(${this.#one(['', "'prepare'", "'check'", "'prepare', 'check'", "'none'", '1'])})`,
      () => `failure(${this.#one(['', "'prepare'", "'check'", "'none'"])})`,
      () => `always(${this.#one(['', '1'])})`,
      () => `fmt(${this.#format()}, ${this.#many(sub, 2).concat(this.#number()).join(', ')})`,
      () =>
        `parse_volume(${this.#one(["'storage:a:/m'", "'storage:/o/p/a b:/m:ro'", "'storage://c/o/p/x:/m:rw'", "'disk:a:/m'", "'storage:a'", "'storage:a:/m:xx'", "'storage:a/../b/./c/:/m/'"])}).${this.#one(['ref', 'remote', 'mount', 'ref_ro', 'id', 'local', 'read_only'])}`,
      () => 'nothing()',
      () => `upload(volumes.data).ref_${this.#one(['ro', 'rw', 'xx'])}`,
    ])();
  }

  #format(): string {
    const field = this.#one([
      '{}',
      '{0}',
      '{!r}',
      '{:>8}',
      '{:<6}|',
      '{:^7}',
      '{:*^9}',
      '{:05}',
      '{:+}',
      '{:.2f}',
      '{:e}',
      '{:g}',
      '{:%}',
      '{:x}',
      '{:#b}',
      '{:,}',
      '{:_}',
      '{:s}',
      '{:d}',
      '{:.3}',
      '{0} {0}',
      '{} {}',
      '{{}}',
      '{0[0]}',
      '{0.result}',
      '{!s:>5}',
      '{:{}}',
      '{:c}',
      '{:o}',
      '{:G}',
      '{:08.3f}',
      '{:=+8}',
      '{',
      '}',
      '{5}',
      '{:z}',
      '{a}',
      '{!x}',
      '{!a}',
      '{: }',
      '{:n}',
      '{:,.1f}',
      '{:010,}',
    ]);
    return `'${this.#one(['', 'a', '-'])}${field}${this.#one(['', '!', '{}'])}'`;
  }

  #collection(): string {
    return this.#one(COLLECTIONS);
  }

  #key(): string {
    return this.#one([this.#string(), "'k'", '1', 'True', 'None', '2.5', 'params.name']);
  }

  #atom(): string {
    return this.#one([
      () => this.#number(),
      () => this.#string(),
      () => this.#one(['True', 'False', 'None']),
      () => this.#lookup(),
      () => this.#lookup(),
    ])();
  }

  #lookup(): string {
    return this.#one(LOOKUPS);
  }

  #number(): string {
    return this.#one(NUMBERS);
  }

  #string(): string {
    return this.#one(STRINGS);
  }

  #text(): string {
    return this.#one(['', 'a', ' x ', '$', '}}', '-', '{', '$(( 1 ))', 'é']);
  }

  #many(make: () => string, most: number): string[] {
    return Array.from({ length: this.#int(most + 1) }, make);
  }
  #int(below: number): number {
    return Math.floor(this.#random() * below);
  }
  #one<T>(from: readonly T[]): T {
    return from[this.#int(from.length)] as T;
  }
}
