import { composeYaml } from '../yaml/compose.ts';
import { isNull, kindInWords, type YamlNode, type YamlScalar } from '../yaml/node.ts';
import { checkBeyond } from './beyond.ts';
import type { Block, Blocks, Field, Tasks } from './block.ts';
import { readList, readMap, readMatrix, readNeeds } from './collections.ts';
import { exprOf, readExpr } from './expr.ts';
import { readTableKey } from './keys.ts';
import { type FileKind, kindOf, type Role } from './kind.ts';
import { readChoice, readId, textOfKey } from './names.ts';
import { Report } from './report.ts';
import { type BlockName, keysOfBlock, SHELLS, type Shape } from './schema.ts';
import { inWords, variantOf } from './words.ts';

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
    report.add('FLOW_DUPLICATE_KEY', key, `the key \`${key.text}\` is given twice: only this one counts`);
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
    const report = this.#report;
    if (node.kind !== 'mapping') {
      report.add('FLOW_TYPE', node, `expected keys and values, found ${kindInWords(node)}`);
      return undefined;
    }
    const keys = keysOfBlock(name);
    const fields: Record<string, Field> = {};
    const present = new Set<string>();
    const refused = new Map<string, string>();
    const shells: YamlNode[] = [];
    for (const [keyNode, value] of node.entries) {
      const found = readTableKey(name, keyNode, node, report);
      if ('meant' in found) {
        if (found.meant !== undefined) refused.set(targetOf(found.meant, keys), textOfKey(value));
        continue;
      }
      const before = report.errors;
      const field = this.#field(keys[found.name]?.shape as Shape, value, found.name);
      const target = targetOf(found.name, keys);
      if (target === 'cmd' && !shells.some((other) => (other as YamlScalar).text === found.name)) shells.push(keyNode);
      present.add(target);
      if (field !== undefined) fields[target] = field;
      else {
        delete fields[target];
        if (report.errors > before) refused.set(target, textOfKey(value));
      }
    }
    this.#exclusive(shells);
    for (const [required, { required: is, shape }] of Object.entries(keys)) {
      if (!is || required === 'kind' || present.has(required) || refused.has(required)) continue;
      const at = key ?? { start: node.start, end: node.start + 1 };
      report.add('FLOW_KEY_MISSING', at, `\`${required}\` is missing`, `expected ${inWords(shape)}`);
      refused.set(required, '');
    }
    const place = { report, start: node.start, end: node.end, ...(key === undefined ? {} : { key }) };
    const block: Block = { kind: 'block', name, fields, present, refused, ...place };
    checkBeyond(block, node, report, this.#role === 'action');
    return block;
  }

  #field(shape: Shape, node: YamlNode, key: string): Field | undefined {
    const report = this.#report;
    switch (shape.is) {
      case 'value':
        return readExpr(node, report, shape);
      case 'list':
        return readList(node, report, shape);
      case 'map':
        return readMap(node, report, shape);
      case 'choice':
        return readChoice(node, report, shape.values);
      case 'block':
        if (!isNull(node)) return this.block(shape.of, node);
        if (key === 'job' || key === 'main') report.add('FLOW_TYPE', node, 'expected keys and values, found nothing');
        return undefined;
      case 'blocks':
        return this.#blocks(node, (value, name) => this.#named(shape.of, value, name));
      case 'params':
        return this.#blocks(node, (value, name) => this.#param(value, name));
      case 'tasks':
        return this.#tasks(node);
      case 'needs':
        return readNeeds(node, report);
      case 'matrix':
        return readMatrix(node, report);
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
      this.#report.add('FLOW_TYPE', node, `expected names, each with keys and values, found ${kindInWords(node)}`);
      return undefined;
    }
    const entries = new Map<string, Block>();
    const refused = new Set<string>();
    for (const [key, value] of node.kind === 'mapping' ? node.entries : []) {
      const name = readId(key, this.#report);
      const block = read(value, key);
      if (name !== undefined && block !== undefined) entries.set(name, block);
      else refused.add(name ?? textOfKey(key));
    }
    return { kind: 'blocks', entries, refused, start: node.start, end: node.end };
  }

  #param(node: YamlNode, name: YamlNode): Block | undefined {
    if (node.kind !== 'scalar') return this.block('param', node, name);
    const report = this.#report;
    const value = exprOf(node.value, node, report, { type: 'str', nullable: true, template: true });
    if (value === undefined) return undefined;
    const keys = { fields: { default: value }, present: new Set(['default']), refused: new Map<string, string>() };
    return { kind: 'block', name: 'param', report, ...keys, start: node.start, end: node.end, key: name };
  }

  #tasks(node: YamlNode): Tasks | undefined {
    if (node.kind !== 'sequence') {
      this.#report.add('FLOW_TYPE', node, `expected a list of tasks, found ${kindInWords(node)}`);
      return undefined;
    }
    const items = node.items.flatMap((item) => this.block(TASK_TABLES[variantOf(item)], item) ?? []);
    const torso = items.length < node.items.length;
    return { kind: 'tasks', items, torso, start: node.start, end: node.end };
  }

  #exclusive(shells: readonly YamlNode[]): void {
    const [, second] = shells;
    if (second === undefined) return;
    const names = shells.map((shell) => `\`${(shell as YamlScalar).text}\``).join(' and ');
    this.#report.add('FLOW_KEY_CONFLICT', second, `${names} cannot stand together`, 'keep one of them');
  }
}

/** `bash` and `python` are other spellings of `cmd`. */
const targetOf = (name: string, keys: object): string =>
  SHELLS.includes(name) && Object.hasOwn(keys, 'cmd') ? 'cmd' : name;
