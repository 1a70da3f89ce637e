import {
  BLOCKS,
  type Block,
  type BlockName,
  childrenOf,
  type Field,
  keysOfBlock,
  type Node,
  namesRead,
  type Part,
  parseFlowFile,
  SIGNATURES,
} from '@delos/flow';
import { expect, test } from 'vitest';
import { CORPUS } from '../../support/flow/corpus.ts';

const keys = new Map<string, number>();
const functions = new Map<string, number>();
const contexts = new Map<string, number>();
const count = (of: Map<string, number>, name: string): void => void of.set(name, (of.get(name) ?? 0) + 1);

function countBlock(block: Block): void {
  // `bash` and `python` are kept as `cmd`: the file itself tells them apart.
  const text = block.report.text.slice(block.start, block.end);
  for (const name of block.present) if (name !== 'cmd' || /\bcmd:/.test(text)) count(keys, `${block.name}.${name}`);
  for (const name of ['bash', 'python'])
    if (block.present.has('cmd') && new RegExp(`\\b${name}:`).test(text)) count(keys, `${block.name}.${name}`);
  for (const field of Object.values(block.fields)) countField(field);
}

function countField(field: Field): void {
  switch (field.kind) {
    case 'expr':
    case 'whole':
      countParts(field.parts ?? []);
      break;
    case 'list':
      for (const item of field.items) countField(item);
      break;
    case 'map':
      for (const [, item] of field.entries) countField(item);
      break;
    case 'block':
      countBlock(field);
      break;
    case 'blocks':
      for (const block of field.entries.values()) countBlock(block);
      break;
    case 'tasks':
      for (const task of field.items) countBlock(task);
      break;
    case 'needs':
      for (const [expr] of field.entries) countField(expr);
      break;
    case 'matrix':
      for (const list of field.products.values()) countField(list);
      for (const row of [...field.include, ...field.exclude]) for (const expr of row.values()) countField(expr);
      break;
    default:
  }
}

function countParts(parts: readonly Part[]): void {
  for (const name of namesRead(parts)) count(contexts, name);
  for (const part of parts) if (part.kind === 'expression') countNode(part.node);
}

function countNode(node: Node): void {
  if (node.kind === 'call') count(functions, node.name);
  for (const child of childrenOf(node)) countNode(child);
}

for (const { kind, files, path } of Object.values(CORPUS)) {
  for (const [name, text] of Object.entries(files)) {
    const role = name !== path ? (/project/.test(name) ? 'project' : 'action') : undefined;
    const own = kind === 'project' || kind === 'action' ? kind : 'flow';
    const { block } = parseFlowFile(name, text, role ?? own);
    if (block !== undefined) countBlock(block);
  }
}

const TABLES = (Object.keys(BLOCKS) as BlockName[]).filter((name) => name !== 'jobOrCall');
const seldom = (names: readonly string[], counted: ReadonlyMap<string, number>): readonly string[] =>
  names.filter((name) => (counted.get(name) ?? 0) < 2);

test('the corpus has 200 files and more', () => {
  expect(Object.keys(CORPUS).length).toBeGreaterThanOrEqual(200);
});

test.each(TABLES)('every key of %s stands at least twice in the corpus', (table) => {
  expect(
    seldom(
      Object.keys(keysOfBlock(table)).map((key) => `${table}.${key}`),
      keys,
    ),
  ).toEqual([]);
});

test('every function and every context is used at least twice in the corpus', () => {
  expect(seldom(Object.keys(SIGNATURES), functions)).toEqual([]);
  const all = [
    'project',
    'flow',
    'git',
    'params',
    'env',
    'tags',
    'volumes',
    'images',
    'inputs',
    'matrix',
    'strategy',
    'needs',
    'state',
    'multi',
  ];
  expect(seldom(all, contexts)).toEqual([]);
});
