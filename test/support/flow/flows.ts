import { type BlockName, keysOfBlock, type Shape } from '@delos/flow';
import type { Case } from './cases.ts';
import { twisted } from './yaml-twists.ts';

type Random = () => number;

const ACTIONS: Readonly<Record<string, string>> = {
  'batch.yml':
    'kind: batch\ninputs: {who: {default: x}, n: {type: int, default: 1}}\noutputs: {out: {value: "${{ needs.inner.outputs.out }}"}}\ntasks:\n  - {id: inner, image: u, cmd: "${{ inputs.who }} ${{ inputs.n }}"}\n',
  'stateful.yml':
    'kind: stateful\ninputs: {who: {}}\nmain: {image: u, cmd: "${{ inputs.who }}"}\npost: {image: u, cmd: "${{ state.token }}"}\n',
  'local.yml': 'kind: local\ninputs: {who: {}}\ncmd: run ${{ inputs.who }}\n',
  'live.yml': 'kind: live\ninputs: {who: {default: x}}\njob: {image: u, cmd: "${{ inputs.who }}"}\n',
};

/** Makes whole files from the schema: most keys fit, some values and some keys do not. */
export class FlowMaker {
  readonly #random: Random;
  /** How often something is wrong. */
  readonly #wrong: number;
  #kind: Case['kind'] = 'batch';
  /** How often a file is changed at one place, whatever comes of it. */
  readonly #twists: number;
  constructor(random: Random, { wrong = 0.005, twists = 0.2 } = {}) {
    this.#random = random;
    this.#wrong = wrong;
    this.#twists = twists;
  }

  case(): Case {
    const roll = this.#random();
    this.#kind = roll < 0.6 ? 'batch' : roll < 0.8 ? 'live' : roll < 0.9 ? 'action' : 'project';
    const path = { batch: 'main', live: 'main', action: 'a.yml', project: 'project.yml' }[this.#kind];
    const table: BlockName = this.#one(
      {
        batch: ['batchFlow'],
        live: ['liveFlow'],
        project: ['project'],
        action: ['liveAction', 'batchAction', 'statefulAction', 'localAction'],
      }[this.#kind],
    ) as BlockName;
    const made = this.#file(table);
    // Some are written as no editor would write them: what YAML makes of that is part of the language.
    const file = this.#random() < this.#twists ? twisted(made, this.#random) : made;
    return { kind: this.#kind, path, files: { ...ACTIONS, [path]: file }, values: true };
  }

  #file(table: BlockName): string {
    const kind = {
      batchFlow: 'batch',
      liveFlow: 'live',
      liveAction: 'live',
      batchAction: 'batch',
      statefulAction: 'stateful',
      localAction: 'local',
    }[table as string];
    const body = this.#block(table, '');
    return `${kind === undefined ? '' : `kind: ${this.#bad() ? this.#one(['live', 'batch', 'x', '~']) : kind}\n`}${body}`;
  }

  /** Lines of a block at an indentation. */
  #block(table: BlockName, indent: string): string {
    const keys = keysOfBlock(table);
    const lines: string[] = [];
    let shell = false;
    for (const [name, { shape, required }] of Object.entries(keys)) {
      if (name === 'kind' || name === 'role') continue;
      const shells = ['cmd', 'bash', 'python'].includes(name) && 'cmd' in keys;
      if (shells && shell && !this.#bad()) continue;
      const likely = required || name === 'image' ? !this.#bad() : this.#random() < this.#odds(name, table);
      if (!likely || (shape.is === 'raw' && !this.#bad())) continue;
      if (shells) shell = true;
      lines.push(`${indent}${name}:${this.#value(shape, indent, name)}`);
    }
    if (this.#bad())
      lines.push(
        `${indent}${this.#one(['foo', 'imagee', 'jobs', 'needs', '1', 'true', 'cmd', 'title'])}: ${this.#one(['x', '~', '1'])}`,
      );
    return lines.length === 0
      ? `${indent}{}\n`
      : lines.map((line) => (line.endsWith('\n') ? line : `${line}\n`)).join('');
  }

  #odds(name: string, table: BlockName): number {
    if (['tasks', 'jobs'].includes(name)) return 1;
    if (['volumes', 'images', 'params', 'defaults', 'mixins'].includes(name) && table.endsWith('Flow')) return 0.5;
    if (['args', 'id', 'cmd'].includes(name)) return 0.8;
    return 0.18;
  }

  #value(shape: Shape, indent: string, name: string): string {
    if (this.#bad())
      return ` ${this.#one(['~', '[]', '{}', "''", 'abc', '5', '[a]', '{a: b}', 'true', '${{ 1 }}', '"a${{ 1 }}"', '2020-01-01', '[~]', '${{ [1] }}'])}`;
    const inner = `${indent}  `;
    switch (shape.is) {
      case 'value':
        return ` ${this.#scalar(shape.type, name)}`;
      case 'list':
        return this.#list(shape.type, name);
      case 'map':
        return ` {${this.#many(['A', 'B', 'who', 'n'], 2)
          .map(
            (key) =>
              `${name === 'args' ? this.#one(['who', 'n', 'who', key]) : key}: ${this.#scalar(shape.type === 'primitive' ? 'str' : shape.type, 'env')}`,
          )
          .join(', ')}}`;
      case 'choice':
        return ` ${this.#one(shape.values)}`;
      case 'block':
        return `\n${this.#block(shape.of, inner)}`;
      case 'blocks':
        return `\n${this.#named(shape.of, inner)}`;
      case 'params':
        return ` {${this.#many(['a', 'b'], 2)
          .map((id) => `${id}: ${this.#one(['x', '1', '{default: y}', '"${{ 1 + 1 }}"'])}`)
          .join(', ')}}`;
      case 'tasks':
        return `\n${this.#tasks(inner)}`;
      case 'needs':
        return ` ${this.#one(['[]', '[t1]', '{t1: running}', '{t1: completed}', '~', '[t1, t2]', '[t3]'])}`;
      case 'matrix':
        return ` ${this.#one(['{x: [1, 2]}', '{x: [a, b], y: [1]}', '{x: [1, 2], exclude: [{x: "${{ 1 }}"}]}', '{x: [a], include: [{x: b}]}', '{x: "${{ range(3) }}"}', '{}', '{x: [1], include: [{y: 1}]}'])}`;
      default:
        return ' {}';
    }
  }

  #named(of: BlockName, indent: string): string {
    const names = { volume: ['v1', 'v2'], image: ['i1', 'i2'], jobOrCall: ['j1', 'j2', 'j3'] }[of as string] ?? [
      'm1',
      'm2',
    ];
    const chosen = this.#many(names, names.length);
    const ids = this.#bad() ? [...chosen, this.#one(['A', 'a-b', '1', 'true', 'é'])] : chosen;
    if (ids.length === 0) return `${indent}{}\n`;
    return ids
      .map((id) => {
        const table = of === 'jobOrCall' ? this.#one(['job', 'job', 'jobActionCall', 'jobModuleCall'] as const) : of;
        return `${indent}${id}:\n${this.#block(table, `${indent}  `)}`;
      })
      .join('');
  }

  #tasks(indent: string): string {
    const count = Math.floor(this.#random() * 4);
    if (count === 0) return `${indent}[]\n`;
    return Array.from({ length: count }, (_, index) => {
      const table = this.#one(['task', 'task', 'task', 'taskActionCall', 'taskModuleCall'] as const);
      const body = this.#block(table, `${indent}  `).replace(/^( *)id: .*$/m, (line, blanks: string) =>
        this.#random() < 0.8 ? `${blanks}id: t${index + 1}` : line,
      );
      return `${indent}-${body.slice(indent.length + 1)}`;
    }).join('');
  }

  #list(type: string, name: string): string {
    if (name === 'mixins') return ` [${this.#many(['m1', 'm2'], 1).join(', ')}]`;
    if (this.#random() < 0.1) return ` ${this.#one(["\"${{ ['a', 'b'] }}\"", '${{ keys(env) }}', '${{ [] }}'])}`;
    const items = Array.from({ length: Math.floor(this.#random() * 3) }, () => this.#scalar(type, name));
    return ` [${items.join(', ')}]`;
  }

  #scalar(type: string, name: string): string {
    switch (name) {
      case 'ref':
        return this.#one(['ubuntu', 'image:a:v1', '"image:${{ 1 }}"', 'image:/other/a']);
      case 'context':
      case 'dockerfile':
        return this.#one(['~', '~', name === 'context' ? '.' : './Dockerfile', '~']);
      case 'action':
        return this.#kind === 'live'
          ? this.#one(['ws:live', 'ws:live', 'ws:live', 'ws:live', 'ws:nope'])
          : this.#bad()
            ? this.#one(['ws:nope', 'ws:live'])
            : this.#one(['ws:batch', 'ws:stateful', 'ws:local', 'ws:batch']);
      case 'module':
        return this.#kind === 'live' ? 'ws:live' : this.#bad() ? this.#one(['ws:local', 'gh:a/b@c']) : 'ws:batch';
      case 'volumes':
        return this.#one([
          '"storage:a:/a"',
          this.#random() < 0.2 ? '"${{ volumes.v1.ref }}"' : '"storage:d:/d"',
          '~',
          '"storage:b:/b:ro"',
          '"storage:c:/c"',
        ]);
      case 'local':
        return this.#one(['~', '~', '~', 'sub']);
      default:
    }
    switch (type) {
      case 'id':
        return this.#one(['t9', '"t_${{ matrix.x }}"', 'abc', 'a1', '~']);
      case 'bool':
        return this.#one(['true', 'false', 'yes', '1', '"false"', '${{ True }}', '${{ 1 == 2 }}', '~']);
      case 'enable':
        return this.#one([
          'true',
          'false',
          'always()',
          '${{ success() }}',
          '${{ always() }}',
          '${{ failure() or success() }}',
          "${{ needs.t1.result == 'succeeded' }}",
        ]);
      case 'int':
        return this.#one(['80', '"8080"', '${{ 1 + 1 }}', '0x10', '010', '1.5', "${{ int('7') }}", '~']);
      case 'time':
        return this.#one(['1h', '30', '1d2h', '"90"', '1:30', '${{ 60 }}', "${{ '5m' }}", '~', '1.5']);
      case 'uri':
        return this.#one([
          'storage:a',
          '"storage:/o/a"',
          'storage://main/acme/demo/x',
          '"storage:${{ flow.flow_id }}"',
          'disk:d',
        ]);
      case 'remotePath':
        return this.#one(['/a', '/b/', '"/${{ flow.flow_id }}"', 'c//d']);
      case 'portPair':
        return this.#one(['"22:22"', '8080:80']);
      case 'restart':
        return this.#one(['never', 'always', 'on-failure', '~', "${{ 'always' }}"]);
      case 'primitive':
        return this.#one(['x', '1', 'true', '1.5']);
      default:
    }
    if (this.#random() < 0.75) {
      return this.#one([
        'abc',
        "'a b'",
        '1',
        'true',
        '1.0',
        '"${{ 1 + 1 }}"',
        '"x ${{ flow.title }}"',
        '"${{ upper(flow.flow_id) }}"',
        '"it\'s ${{ flow.username }}"',
        '"${{ len(flow.title) }}"',
        '010',
        '"${{ str([1, None]) }} ${{ project.id }}"',
      ]);
    }
    return this.#one([
      'abc',
      "'a b'",
      '1',
      'true',
      '1.0',
      'yes',
      '"${{ 1 + 1 }}"',
      '"x ${{ flow.title }}"',
      '"${{ params.a }}"',
      '"${{ env.A }}"',
      '"${{ matrix.x }}"',
      '"${{ needs.t1.outputs.out }}"',
      '"a ${{ needs.t1.result }}"',
      '"${{ images.i1.ref }}"',
      '"${{ volumes.v1.mount }}"',
      '"${{ str(strategy.max_parallel) }}"',
      '"${{ project.id }}"',
      '"$[[ len([1, 2]) ]]"',
      '"${{ inputs.who }}"',
      "\"${{ 'a' if 1 else 'b' }}\"",
      '"${{ upper(flow.flow_id) }}"',
      '"${{ git.branch }}"',
      'é',
      '2020-01-01',
    ]);
  }

  #bad(): boolean {
    return this.#random() < this.#wrong;
  }
  #many(from: readonly string[], most: number): string[] {
    return from.slice(0, Math.floor(this.#random() * (most + 1)));
  }
  #one<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }
}
