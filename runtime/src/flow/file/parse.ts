import { nearest } from '@delos/core';
import { longer } from '../expr/evaluate.ts';
import { str } from '../python/text.ts';
import { Dict, type Value } from '../python/value.ts';
import { composeYaml } from '../yaml/compose.ts';
import { isNull, kindInWords, type YamlMapping, type YamlNode, type YamlScalar } from '../yaml/node.ts';
import type { Block, Blocks, ExprList, ExprMap, Field, Matrix, Needs, Tasks } from './block.ts';
import type { FlowCode } from './codes.ts';
import { type ExprType, idFault } from './convert.ts';
import { type Expr, exprOf, readExpr, readWhole } from './expr.ts';
import { type FileKind, kindOf, type Role } from './kind.ts';
import { Report } from './report.ts';
import { BLOCKS, type BlockName, keysOfBlock, SHELLS, type Shape } from './schema.ts';
import { hasType, inWords, placeOf, variantOf } from './words.ts';

/** A file of the language. `block` is undefined where nothing could be made of it. */
export interface FlowFile {
  readonly report: Report;
  readonly block: Block | undefined;
  readonly kind: FileKind | undefined;
}

/** Reads a file and finds all that is wrong with it alone. */
export function parseFlowFile(file: string, text: string, role?: Role): FlowFile {
  const report = new Report(file, text);
  const { root, faults, duplicates } = composeYaml(text);
  const codes = { text: 'FLOW_TEXT', syntax: 'FLOW_YAML', tag: 'FLOW_TAG' } as const;
  for (const fault of faults) report.add(codes[fault.kind], fault, fault.message, fault.hint);
  for (const key of duplicates)
    report.add('FLOW_DUPLICATE_KEY', key, `\`${key.text}\` stands there before: this one counts`);
  if (root === undefined) return { report, block: undefined, kind: undefined };
  if (root.kind !== 'mapping') {
    report.add('FLOW_TYPE', root, `expected keys and values, found ${kindInWords(root)}`);
    return { report, block: undefined, kind: undefined };
  }
  const kind = kindOf(root, report, role);
  if (kind === undefined) return { report, block: undefined, kind };
  return { report, block: new FileParser(report, role).block(kind, root), kind };
}

const JOB_TABLES = { module: 'jobModuleCall', action: 'jobActionCall', plain: 'job' } as const;
const TASK_TABLES = { module: 'taskModuleCall', action: 'taskActionCall', plain: 'task' } as const;

class FileParser {
  readonly #report: Report;
  readonly #role: Role | undefined;
  constructor(report: Report, role: Role | undefined) {
    this.#report = report;
    this.#role = role;
  }

  /** Every key of one table. */
  block(name: BlockName, node: YamlNode, key?: YamlNode): Block | undefined {
    if (node.kind !== 'mapping') {
      this.#add('FLOW_TYPE', node, `expected keys and values, found ${kindInWords(node)}`);
      return undefined;
    }
    const keys = keysOfBlock(name);
    const fields: Record<string, Field> = {};
    const present = new Set<string>();
    const shells: YamlNode[] = [];
    for (const [keyNode, value] of node.entries) {
      const found = this.#key(name, keyNode, node);
      if (found === undefined) continue;
      const shape = keys[found]?.shape as Shape;
      const field = this.#field(shape, value, found);
      const target = SHELLS.includes(found) && Object.hasOwn(keys, 'cmd') ? 'cmd' : found;
      if (target === 'cmd' && !shells.some((other) => (other as YamlScalar).text === found)) shells.push(keyNode);
      present.add(target);
      if (field === undefined) delete fields[target];
      else fields[target] = field;
    }
    this.#exclusive(shells);
    for (const [required, { required: is, shape }] of Object.entries(keys)) {
      if (!is || (present.has(required) && !(required in fields && fields[required] === undefined))) continue;
      if (required === 'kind') continue;
      const at = key ?? { start: node.start, end: node.start + 1 };
      this.#add('FLOW_KEY_MISSING', at, `\`${required}\` is missing`, `expected ${inWords(shape)}`);
    }
    const block: Block = {
      kind: 'block',
      name,
      report: this.#report,
      fields,
      present,
      start: node.start,
      end: node.end,
      ...(key === undefined ? {} : { key }),
    };
    this.#after(block, node);
    return block;
  }

  #key(name: BlockName, node: YamlNode, parent: YamlMapping): string | undefined {
    const keys = keysOfBlock(name);
    if (node.kind === 'scalar' && typeof node.value === 'string' && Object.hasOwn(keys, node.value)) return node.value;
    if (node.kind !== 'scalar') {
      this.#add('FLOW_KEY', node, `expected a key, found ${kindInWords(node)}`);
      return undefined;
    }
    const text = node.text;
    const there = new Set(parent.entries.map(([key]) => (key.kind === 'scalar' ? key.text : '')));
    if (
      name === 'taskActionCall' ||
      name === 'taskModuleCall' ||
      name === 'jobActionCall' ||
      name === 'jobModuleCall'
    ) {
      const whole = name.startsWith('task')
        ? { ...BLOCKS.task, ...BLOCKS.taskActionCall }
        : { ...BLOCKS.job, ...BLOCKS.jobActionCall };
      if (Object.hasOwn(whole, text)) {
        const call = name.endsWith('ModuleCall') ? 'module' : 'action';
        this.#add(
          'FLOW_KEY_CONFLICT',
          node,
          `\`${text}\` is not taken beside \`${call}\``,
          `a call takes: ${Object.keys(keys).join(', ')}`,
        );
        return undefined;
      }
    }
    const free = Object.keys(keys).filter((candidate) => !there.has(candidate));
    const near = nearest(text, free) ?? longer(text, free) ?? nearest(text, Object.keys(keys));
    const elsewhere = near === undefined ? placeOf(text) : undefined;
    const hint =
      near !== undefined
        ? `did you mean \`${near}\`?`
        : elsewhere !== undefined
          ? `\`${text}\` belongs in ${elsewhere}`
          : `expected one of: ${Object.keys(keys).join(', ')}`;
    this.#add('FLOW_KEY', node, `unknown key \`${text}\``, hint);
    return undefined;
  }

  #field(shape: Shape, node: YamlNode, key: string): Field | undefined {
    switch (shape.is) {
      case 'value':
        return readExpr(node, this.#report, shape);
      case 'list':
        return this.#list(node, shape);
      case 'map':
        return this.#map(node, shape.type, shape.template);
      case 'choice':
        return this.#choice(node, shape.values);
      case 'block':
        if (isNull(node)) {
          if (key === 'job' || key === 'main') this.#add('FLOW_TYPE', node, 'expected keys and values, found nothing');
          return undefined;
        }
        return this.block(shape.of, node);
      case 'blocks':
        return this.#blocks(node, (value, name) => this.#named(shape.of, value, name));
      case 'params':
        return this.#blocks(node, (value, name) => this.#param(value, name));
      case 'tasks':
        return this.#tasks(node);
      case 'needs':
        return this.#needs(node);
      case 'matrix':
        return this.#matrix(node);
      case 'raw':
        return { kind: 'raw' };
    }
  }

  #named(of: BlockName, value: YamlNode, name: YamlNode): Block | undefined {
    if (of !== 'jobOrCall') return this.block(of, value, name);
    return this.block(JOB_TABLES[variantOf(value)], value, name);
  }

  #blocks(node: YamlNode, read: (value: YamlNode, name: YamlNode) => Block | undefined): Blocks | undefined {
    if (isNull(node)) return undefined;
    const empty =
      (node.kind === 'scalar' && node.value === '') || (node.kind === 'sequence' && node.items.length === 0);
    if (node.kind !== 'mapping' && !empty) {
      this.#add('FLOW_TYPE', node, `expected names, each with keys and values, found ${kindInWords(node)}`);
      return undefined;
    }
    const entries = new Map<string, Block>();
    for (const [key, value] of node.kind === 'mapping' ? node.entries : []) {
      const name = this.#id(key);
      const block = read(value, key);
      if (name !== undefined && block !== undefined) entries.set(name, block);
    }
    return { kind: 'blocks', entries, start: node.start, end: node.end };
  }

  #id(key: YamlNode): string | undefined {
    if (key.kind !== 'scalar' || typeof key.value !== 'string') {
      this.#add(
        'FLOW_ID',
        key,
        `expected a name, found ${kindInWords(key)}`,
        key.kind === 'scalar' ? 'put it in quotes, or choose another: YAML reads it as something else' : undefined,
      );
      return undefined;
    }
    const fault = idFault(key.value);
    if (fault === undefined) return key.value;
    this.#add('FLOW_ID', key, fault);
    return undefined;
  }

  #param(node: YamlNode, name: YamlNode): Block | undefined {
    if (node.kind !== 'scalar') return this.block('param', node, name);
    const value = exprOf(node.value, node, this.#report, { type: 'str', nullable: true, template: true });
    if (value === undefined) return undefined;
    return {
      kind: 'block',
      name: 'param',
      report: this.#report,
      fields: { default: value },
      present: new Set(['default']),
      start: node.start,
      end: node.end,
      key: name,
    };
  }

  #tasks(node: YamlNode): Tasks | undefined {
    if (node.kind !== 'sequence') {
      this.#add('FLOW_TYPE', node, `expected a list of tasks, found ${kindInWords(node)}`);
      return undefined;
    }
    const items = node.items.flatMap((item) => this.block(TASK_TABLES[variantOf(item)], item) ?? []);
    return { kind: 'tasks', items, start: node.start, end: node.end };
  }

  #needs(node: YamlNode): Needs | undefined {
    if (isNull(node)) return undefined;
    const entries = new Map<string, readonly [Expr, 'completed' | 'running']>();
    const put = (id: YamlNode, level: 'completed' | 'running'): void => {
      const expr = readExpr(id, this.#report, { type: 'id', nullable: false, template: true });
      if (expr !== undefined) entries.set(str(expr.given), [expr, level]);
    };
    if (node.kind === 'sequence') for (const item of node.items) put(item, 'completed');
    else if (node.kind === 'mapping') {
      for (const [key, value] of node.entries) {
        const level = this.#choice(value, ['completed', 'running']);
        if (level !== undefined) put(key, level.value as 'completed' | 'running');
      }
    } else {
      this.#add(
        'FLOW_TYPE',
        node,
        `expected a list of ids, found ${kindInWords(node)}`,
        node.text === '' ? undefined : `write [${node.text}]`,
      );
      return undefined;
    }
    return { kind: 'needs', entries: [...entries.values()], start: node.start, end: node.end };
  }

  #matrix(node: YamlNode): Matrix | undefined {
    if (isNull(node)) return undefined;
    if (node.kind !== 'mapping') {
      this.#add('FLOW_TYPE', node, `expected names with lists of values, found ${kindInWords(node)}`);
      return undefined;
    }
    const products = new Map<string, ExprList>();
    const rows: Record<'include' | 'exclude', readonly ReadonlyMap<string, Expr>[]> = { include: [], exclude: [] };
    for (const [key, value] of node.entries) {
      const name = this.#id(key);
      if (name === 'include' || name === 'exclude') rows[name] = this.#rows(value);
      else {
        const values = this.#list(value, { type: 'primitive', nullable: false, template: true });
        if (name !== undefined && values !== undefined) products.set(name, values);
      }
    }
    return { kind: 'matrix', report: this.#report, products, ...rows, start: node.start, end: node.end };
  }

  #rows(node: YamlNode): readonly ReadonlyMap<string, Expr>[] {
    if (node.kind !== 'sequence') {
      this.#add('FLOW_TYPE', node, `expected a list of rows, found ${kindInWords(node)}`);
      return [];
    }
    return node.items.flatMap((item) => {
      const map = this.#map(item, 'primitive', false, true);
      return map?.kind === 'map' ? [new Map(map.entries.map(([key, expr]) => [String(key), expr]))] : [];
    });
  }

  #list(
    node: YamlNode,
    { type, nullable, template }: { readonly type: ExprType; readonly nullable: boolean; readonly template: boolean },
  ): ExprList | undefined {
    if (node.kind === 'scalar' && template) return readWhole(node, this.#report, 'list', type);
    if (node.kind !== 'sequence') {
      this.#add(
        'FLOW_TYPE',
        node,
        `expected a list, found ${kindInWords(node)}`,
        node.kind === 'scalar' && node.text !== '' ? `write [${node.text}]` : undefined,
      );
      return undefined;
    }
    const items = node.items.flatMap((item) => readExpr(item, this.#report, { type, nullable, template: true }) ?? []);
    return { kind: 'list', items, report: this.#report, start: node.start, end: node.end };
  }

  /** Values are text before they are anything else: an unquoted `true` is the text `True`. */
  #map(node: YamlNode, type: ExprType, template: boolean, ids = false): ExprMap | undefined {
    if (node.kind === 'scalar' && template) return readWhole(node, this.#report, 'map', type);
    if (node.kind !== 'mapping') {
      this.#add('FLOW_TYPE', node, `expected keys and values, found ${kindInWords(node)}`);
      return undefined;
    }
    const entries = new Dict();
    const exprs: (readonly [Value, Expr])[] = [];
    for (const [key, value] of node.entries) {
      const name = ids ? this.#id(key) : this.#mapKey(key);
      if (value.kind !== 'scalar') {
        this.#add('FLOW_TYPE', value, `expected one value, found ${kindInWords(value)}`);
        continue;
      }
      const given = value.value === null ? null : str(value.value);
      const expr = exprOf(given, value, this.#report, { type, nullable: false, template: true });
      if (name === undefined || expr === undefined) continue;
      if (entries.has(name)) exprs[Number(entries.get(name))] = [name, expr];
      else {
        entries.set(name, BigInt(exprs.length));
        exprs.push([name, expr]);
      }
    }
    return { kind: 'map', entries: exprs, report: this.#report, start: node.start, end: node.end };
  }

  #mapKey(key: YamlNode): string | undefined {
    if (key.kind === 'scalar') return str(key.value);
    this.#add('FLOW_TYPE', key, `expected a name, found ${kindInWords(key)}`);
    return undefined;
  }

  #choice(
    node: YamlNode,
    values: readonly string[],
  ): { readonly kind: 'choice'; readonly value: string; readonly start: number; readonly end: number } | undefined {
    const text = node.kind === 'scalar' ? str(node.value) : undefined;
    if (text !== undefined && values.includes(text))
      return { kind: 'choice', value: text, start: node.start, end: node.end };
    const near = text === undefined ? undefined : nearest(text, values);
    this.#add(
      'FLOW_VALUE',
      node,
      `expected ${values.join(', ')}, found ${kindInWords(node)}`,
      near === undefined ? undefined : `did you mean \`${near}\`?`,
    );
    return undefined;
  }

  #exclusive(shells: readonly YamlNode[]): void {
    const [, second] = shells;
    if (second === undefined) return;
    const names = shells.map((shell) => `\`${(shell as YamlScalar).text}\``).join(' and ');
    this.#add('FLOW_KEY_CONFLICT', second, `${names} exclude each other`, 'keep one of them');
  }

  /** What the authority refuses beyond the tables. */
  #after(block: Block, node: YamlMapping): void {
    const at = (name: string): YamlNode =>
      node.entries.findLast(([key]) => key.kind === 'scalar' && key.value === name)?.[0] ?? node;
    if (block.name === 'project' && block.present.has('role')) {
      this.#add('FLOW_DEPRECATED', at('role'), '`role` has no effect any more', 'remove it');
    }
    if (block.name === 'liveAction' || (block.name === 'job' && this.#isAction())) {
      const job = block.name === 'job' ? block : undefined;
      if (job?.fields.params !== undefined)
        this.#add('FLOW_KEY', at('params'), 'a live action has no `params`', 'use `inputs` of the action');
    }
    if (block.name === 'statefulAction' || block.name === 'localAction') {
      if (block.present.has('outputs') && block.fields.outputs === undefined) {
        this.#add('FLOW_TYPE', at('outputs'), 'expected names, each with keys and values, found nothing');
      }
      const outputs = block.fields.outputs;
      for (const output of outputs?.kind === 'blocks' ? outputs.entries.values() : []) {
        const value = output.fields.value;
        if (value?.kind === 'expr' && value.given !== null) {
          this.#add(
            'FLOW_KEY',
            value,
            'only outputs of batch actions have a `value`',
            'write `::set-output name=NAME::VALUE` in the log instead',
          );
        }
      }
    }
    if (block.name === 'input') this.#input(block);
  }

  #isAction(): boolean {
    return this.#role === 'action';
  }

  #input(block: Block): void {
    const value = block.fields.default;
    if (value?.kind !== 'expr' || value.given === null) return;
    const type = block.fields.type?.kind === 'choice' ? block.fields.type.value : 'str';
    if (!hasType(value.constant, type)) {
      const hint = {
        str: 'put it in quotes',
        float: 'write it with a point, such as 1.0',
        int: 'write a whole number',
        bool: 'write true or false',
      }[type];
      this.#add('FLOW_INPUT', value, `the default is not of the type \`${type}\``, hint);
    }
  }

  #add(code: FlowCode, node: { readonly start: number; readonly end: number }, message: string, hint?: string): void {
    this.#report.add(code, node, message, hint);
  }
}
