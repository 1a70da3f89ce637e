/** Contexts that generated expressions may use, as plain data. */
export const CONTEXT = {
  project: { id: 'demo_project', project_name: 'demo', owner: null },
  flow: { flow_id: 'train', project_id: 'demo_project', workspace: '/work/demo', title: 'Train it', username: 'ada' },
  params: { lr: '0.1', name: 'model', empty: '' },
  env: { HOME: '/home/ada', N: '3' },
  matrix: { x: 1, y: 'two', z: 1.5, flag: true, ORDINAL: 0 },
  inputs: { count: 3, rate: 0.5, on: false, text: 'hello' },
  strategy: { fail_fast: true, max_parallel: 10 },
  needs: {
    prepare: { result: 'succeeded', outputs: { path: '/data/a', rows: '10' } },
    check: { result: 'failed', outputs: {} },
  },
  state: { token: 'abc' },
  volumes: {
    data: {
      remote: 'storage:data',
      mount: '/data',
      read_only: true,
      local: 'data',
      full_local_path: '/work/demo/data',
    },
    code: { remote: 'storage:/other/code', mount: '/code' },
  },
  git: { sha: 'c0ffee', branch: 'main', tags: ['v1', 'v1.0'] },
  multi: { suffix: 's1' },
} as const;

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
    return this.#one([
      '[1, 2, 3]',
      "['a', 'b', 'c']",
      'params',
      'keys(matrix)',
      'values(inputs)',
      'git.tags',
      "'text'",
      '[]',
      "[0, '', None, 'x', 2.0]",
      'range(4)',
      '{1: 2, True: 3, 1.0: 4 }',
      'needs',
      '[[1, 2], [3, 4]]',
      "'a😀é'",
    ]);
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
    return this.#one([
      'params.lr',
      'params.name',
      "params['name']",
      'params.empty',
      'params.missing',
      'env.HOME',
      'env.N',
      'matrix.x',
      'matrix.y',
      'matrix.z',
      'matrix.flag',
      "matrix['ORDINAL']",
      'inputs.count',
      'inputs.rate',
      'inputs.on',
      'inputs.text',
      'strategy.fail_fast',
      'strategy.max_parallel',
      'needs.prepare.result',
      'needs.prepare.outputs.path',
      "needs['check'].result",
      'needs.check.outputs.x',
      'state.token',
      'volumes.data.ref',
      'volumes.code.ref_rw',
      'volumes.data.mount',
      'str(volumes.data.remote)',
      'volumes.code.local',
      'volumes.data.full_local_path',
      'volumes.data',
      'volumes.nope.ref',
      'git.sha',
      'git.branch',
      'git.tags',
      'git.tags[0]',
      'git.tags[- 1]',
      'git.tags[5]',
      'multi.suffix',
      'flow.title',
      'flow.workspace',
      'flow.flow_id',
      'flow',
      'flow.nope',
      "flow['title']",
      'project.id',
      'project.owner',
      'project',
      'needs.prepare',
      'params',
      'nowhere',
      'strategy',
      'params.name.x',
      'params.name[0]',
      'params.name[- 1]',
      'flow.workspace / 1',
      "flow.workspace / 'sub'",
      'params.name[9]',
      'git',
    ]);
  }

  #number(): string {
    return this.#one([
      '0',
      '1',
      '-1',
      '2',
      '7',
      '10',
      '1_000',
      '0x1F',
      '0b101',
      '0o17',
      '1.5',
      '-0.5',
      '1.',
      '2.0e3',
      '1.0e-7',
      '1.0e22',
      '123456789012345678901234567890',
      '0.1',
      '010',
      '3.0',
      '00',
      '1.0e400',
      '100.0',
      '-7',
      '2.50',
      '1234.5678',
      '1.0E+16',
    ]);
  }

  #string(): string {
    return this.#one([
      "''",
      "'a'",
      '"b"',
      "'abc'",
      "'it is'",
      '"it\'s"',
      "'\\n'",
      "'\\x41\\u00e9'",
      "'é'",
      "'😀'",
      "'succeeded'",
      "'ÀB'",
      "'12'",
      "'\\\\'",
      "'\\d'",
      "'{'",
      "'a,b'",
      "'A B'",
      "'\\x7f'",
      "'\\u200b'",
      "'ß'",
      "'1.5'",
      "' x '",
      "'\\101'",
      "'\\xzz'",
    ]);
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
