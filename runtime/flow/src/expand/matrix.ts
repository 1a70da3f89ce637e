import type { Matrix } from '../file/block.ts';
import { equal } from '../python/operators.ts';
import { Dict, type Value } from '../python/value.ts';
import { evaluateList } from './collections.ts';
import { each, evaluateExpr, type FieldScope, isKnown, Refused } from './outcome.ts';

export const MAX_ROWS = 256;

type Row = ReadonlyMap<string, Value>;

/**
 * Rows of a matrix: the product in order of the keys, first key slowest, without what `exclude` matches, then those
 * of `include`; each with its number as `ORDINAL`. Without a matrix: one empty row.
 * @throws Refused
 */
export function matrixRows(matrix: Matrix | undefined, at: FieldScope): readonly Dict[] {
  if (matrix === undefined) return [new Dict()];
  const products = each(matrix.products, ([name, list]) => {
    if (list.kind === 'whole' && list.parts === undefined) return [name, []] as const;
    const values = evaluateList(list, at);
    return [name, (isKnown(values) ? values : [values]).map((value) => (isKnown(value) ? value : null))] as const;
  });
  const excluded = rows(matrix.exclude, at);
  const included = rows(matrix.include, at);
  if (matrix.torso) throw new Refused();
  // One list that multiplies beyond the limit must not fill the memory before it is refused.
  const size = products.reduce((count, [, values]) => count * Math.max(1, values.length), 1);
  if (size > 64 * MAX_ROWS) return refuse(matrix, `the matrix has ${size} rows, ${MAX_ROWS} are taken`);
  let product: Row[] = [new Map()];
  for (const [name, values] of products) {
    if (values.length === 0) continue;
    product = product.flatMap((row) => values.map((value) => new Map([...row, [name, value]])));
  }
  const kept = product.filter((row) => !excluded.some((entry) => matches(matrix, row, entry)));
  for (const [index, row] of included.entries()) checkKeys(matrix, row, index);
  const all = [...kept, ...included];
  if (all.length > MAX_ROWS) return refuse(matrix, `the matrix has ${all.length} rows, ${MAX_ROWS} are taken`);
  return all.map((row, ordinal) => new Dict([...row, ['ORDINAL', BigInt(ordinal)]]));
}

function refuse(matrix: Matrix, message: string, hint?: string): never {
  matrix.report.add('FLOW_MATRIX', { start: matrix.start, end: matrix.start + 1 }, message, hint);
  throw new Refused();
}

function rows(list: Matrix['include'], at: FieldScope): readonly Row[] {
  return each(list, (entry) => {
    return new Map(
      each(entry, ([name, expr]): readonly [string, Value] => {
        const value = evaluateExpr(expr, at);
        return [name, isKnown(value) ? value : null];
      }),
    );
  });
}

function matches(matrix: Matrix, row: Row, entry: Row): boolean {
  for (const [name, value] of entry) {
    const own = row.get(name);
    if (own === undefined) {
      return refuse(
        matrix,
        `\`exclude\` names \`${name}\`, which the matrix does not have`,
        `there are: ${[...row.keys()].join(', ')}`,
      );
    }
    if (!equal(own, value)) return false;
  }
  return true;
}

function checkKeys(matrix: Matrix, row: Row, index: number): void {
  const names = [...matrix.products.keys()];
  const missing = names.filter((name) => !row.has(name));
  const additional = [...row.keys()].filter((name) => !matrix.products.has(name));
  if (missing.length === 0 && additional.length === 0) return;
  const parts = [
    ...(additional.length > 0 ? [`has ${additional.join(', ')} that the matrix does not have`] : []),
    ...(missing.length > 0 ? [`lacks ${missing.join(', ')}`] : []),
  ];
  refuse(
    matrix,
    `entry ${index + 1} of \`include\` ${parts.join(' and ')}`,
    `each entry has exactly: ${names.join(', ')}`,
  );
}
