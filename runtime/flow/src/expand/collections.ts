import type { Part } from '../expr/syntax.ts';
import { evaluateTemplate } from '../expr/template.ts';
import type { ExprList, ExprMap } from '../file/block.ts';
import { convert, type ExprType } from '../file/convert.ts';
import type { WholeExpr } from '../file/expr.ts';
import { str } from '../python/text.ts';
import { Dict, isList, iterate, PythonError, tryText, typeName, type Value, Waiting } from '../python/value.ts';
import type { MergedField } from './merge.ts';
import { each, evaluateExpr, type FieldScope, isKnown, type Known, Refused, refused } from './outcome.ts';
import { type Residual, residualOf } from './residual.ts';

/** Items of a list field; null where the field holds nothing. A template that waits is one residual. @throws Refused */
export function evaluateList(list: ExprList, at: FieldScope): Known<readonly Known[]> {
  if (list.kind === 'list') return each(list.items, (item) => evaluateExpr(item, at));
  if (list.parts === undefined) {
    list.report.add(
      'FLOW_TYPE',
      list,
      'expected a list, found nothing',
      'write [] for an empty list, or remove the key',
    );
    throw new Refused();
  }
  return whole(list, list.parts, at, (value) => {
    if (!isList(value) && !(value instanceof Dict) && tryText(value) === undefined) {
      throw new PythonError('TypeError', `found ${typeName(value)}`);
    }
    return [...iterate(value)].map((item) => itemOf(list.item, item));
  });
}

/** Keys and values of a mapping field. @throws Refused */
export function evaluateMap(map: ExprMap, at: FieldScope): Known<ReadonlyMap<string, Known>> {
  if (map.kind === 'map') {
    return new Map(each(map.entries, ([key, item]) => [str(key), evaluateExpr(item, at)] as const));
  }
  return whole(map, map.parts ?? [], at, (value) => {
    if (!(value instanceof Dict)) throw new PythonError('TypeError', `found ${typeName(value)}`);
    return new Map(
      [...value.entries()].map(([key, item]) => {
        const name = tryText(key);
        if (name === undefined) throw new PythonError('TypeError', `the key ${str(key)} is not text`);
        return [name, itemOf(map.item, item)] as const;
      }),
    );
  });
}

function itemOf(type: ExprType, item: Value): Value {
  if (type === 'str') return item === null ? null : str(item);
  return type === 'primitive' ? item : convert(type, item);
}

function whole<T>(expr: WholeExpr, parts: readonly Part[], at: FieldScope, take: (value: Value) => T): T | Residual {
  try {
    return take(evaluateTemplate(parts, at.scope));
  } catch (error) {
    if (!(error instanceof Waiting)) throw refused(error, expr, parts);
  }
  try {
    return residualOf(parts, at.scope);
  } catch (error) {
    throw refused(error, expr, parts);
  }
}

/** A value field; null where it is not there. @throws Refused */
export function evaluateOne(field: MergedField | undefined, at: FieldScope): Known {
  return field?.kind === 'expr' ? evaluateExpr(field, at) : null;
}

/** Items of a list field and of those laid under it; a template that waits stands for its items. @throws Refused */
export function evaluateMergedList(field: MergedField | undefined, at: FieldScope): readonly Known[] {
  const fields = field === undefined ? [] : field.kind === 'merged' ? field.fields : [field];
  return each(fields, (part): readonly Known[] => {
    if (part.kind !== 'list' && part.kind !== 'whole') return [];
    const items = evaluateList(part, at);
    return isKnown(items) ? items : [items];
  }).flat();
}

/** Entries of a mapping field and of those laid under it; earlier ones win. @throws Refused */
export function evaluateMerged(field: MergedField | undefined, at: FieldScope): ReadonlyMap<string, Known> {
  const fields = field === undefined ? [] : field.kind === 'merged' ? field.fields : [field];
  const maps = each(fields.toReversed(), (part): ReadonlyMap<string, Known> => {
    if (part.kind !== 'map' && part.kind !== 'whole') return new Map();
    const entries = evaluateMap(part, at);
    return isKnown(entries) ? entries : new Map([['$expr', entries]]);
  });
  if (maps.length === 1) return maps[0] as ReadonlyMap<string, Known>;
  return new Map(maps.flatMap((map) => [...map]));
}
