import { str } from '../python/text.ts';
import { Dict, type Value } from '../python/value.ts';
import { isNull, kindInWords, type YamlNode } from '../yaml/node.ts';
import type { ExprList, ExprMap, Matrix, Needs } from './block.ts';
import type { ExprType } from './convert.ts';
import { type Expr, exprOf, readExpr, readWhole } from './expr.ts';
import { readChoice, readId, readKey, textOfKey } from './names.ts';
import type { Report } from './report.ts';

/** A list of values, or one template that gives a list. */
export function readList(
  node: YamlNode,
  report: Report,
  { type, nullable, template }: { readonly type: ExprType; readonly nullable: boolean; readonly template: boolean },
): ExprList | undefined {
  if (node.kind === 'scalar' && template) return readWhole(node, report, 'list', type);
  if (node.kind !== 'sequence') {
    report.add(
      'FLOW_TYPE',
      node,
      `expected a list, found ${kindInWords(node)}`,
      node.kind === 'scalar' && node.text !== '' ? `write [${node.text}]` : undefined,
    );
    return undefined;
  }
  const items = node.items.flatMap((item) => readExpr(item, report, { type, nullable, template: true }) ?? []);
  const torso = items.length < node.items.length;
  return { kind: 'list', items, torso, report, start: node.start, end: node.end };
}

/** Keys and values. Values are text before they are anything else: an unquoted `true` is the text `True`. */
export function readMap(
  node: YamlNode,
  report: Report,
  { type, template, ids = false }: { readonly type: ExprType; readonly template: boolean; readonly ids?: boolean },
): ExprMap | undefined {
  if (node.kind === 'scalar' && template) return readWhole(node, report, 'map', type);
  if (node.kind !== 'mapping') {
    report.add('FLOW_TYPE', node, `expected keys and values, found ${kindInWords(node)}`);
    return undefined;
  }
  const places = new Dict();
  const entries: (readonly [Value, Expr])[] = [];
  const refused = new Set<string>();
  for (const [key, value] of node.entries) {
    const name = ids ? readId(key, report) : readKey(key, report);
    const expr = readMapValue(value, report, type);
    if (name === undefined || expr === undefined) {
      refused.add(name ?? textOfKey(key));
      continue;
    }
    const place = places.get(name);
    if (place !== undefined) entries[Number(place)] = [name, expr];
    else {
      places.set(name, BigInt(entries.length));
      entries.push([name, expr]);
    }
  }
  return { kind: 'map', entries, refused, report, start: node.start, end: node.end };
}

function readMapValue(value: YamlNode, report: Report, type: ExprType): Expr | undefined {
  if (value.kind !== 'scalar') {
    report.add('FLOW_TYPE', value, `expected one value, found ${kindInWords(value)}`);
    return undefined;
  }
  const given = value.value === null ? null : str(value.value);
  return exprOf(given, value, report, { type, nullable: false, template: true });
}

/** Ids, or ids with how far those tasks have come. */
export function readNeeds(node: YamlNode, report: Report): Needs | undefined {
  if (isNull(node)) return undefined;
  const entries = new Map<string, readonly [Expr, 'completed' | 'running']>();
  let torso = false;
  const put = (id: YamlNode, level: 'completed' | 'running' | undefined): void => {
    const expr = readExpr(id, report, { type: 'id', nullable: false, template: true });
    if (expr === undefined || level === undefined) torso = true;
    else entries.set(str(expr.given), [expr, level]);
  };
  if (node.kind === 'sequence') for (const item of node.items) put(item, 'completed');
  else if (node.kind === 'mapping') {
    for (const [key, value] of node.entries) {
      put(key, readChoice(value, report, ['completed', 'running'])?.value as 'completed' | 'running' | undefined);
    }
  } else {
    report.add(
      'FLOW_TYPE',
      node,
      `expected a list of ids, found ${kindInWords(node)}`,
      node.text === '' ? undefined : `write [${node.text}]`,
    );
    return undefined;
  }
  return { kind: 'needs', entries: [...entries.values()], torso, start: node.start, end: node.end };
}

/** Names with lists of values, rows to leave out and rows to add. */
export function readMatrix(node: YamlNode, report: Report): Matrix | undefined {
  if (isNull(node)) return undefined;
  if (node.kind !== 'mapping') {
    report.add('FLOW_TYPE', node, `expected names with lists of values, found ${kindInWords(node)}`);
    return undefined;
  }
  const products = new Map<string, ExprList>();
  const rows: Record<'include' | 'exclude', readonly ReadonlyMap<string, Expr>[]> = { include: [], exclude: [] };
  const before = report.errors;
  for (const [key, value] of node.entries) {
    const name = readId(key, report);
    if (name === 'include' || name === 'exclude') rows[name] = readRows(value, report);
    else {
      const values = readList(value, report, { type: 'primitive', nullable: false, template: true });
      if (name !== undefined && values !== undefined) products.set(name, values);
    }
  }
  const torso = report.errors > before;
  return { kind: 'matrix', report, products, ...rows, torso, start: node.start, end: node.end };
}

function readRows(node: YamlNode, report: Report): readonly ReadonlyMap<string, Expr>[] {
  if (node.kind !== 'sequence') {
    report.add('FLOW_TYPE', node, `expected a list of rows, found ${kindInWords(node)}`);
    return [];
  }
  return node.items.flatMap((item) => {
    const map = readMap(item, report, { type: 'primitive', template: false, ids: true });
    return map?.kind === 'map' ? [new Map(map.entries.map(([key, expr]) => [String(key), expr]))] : [];
  });
}
