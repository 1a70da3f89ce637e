import { restOf, templateText } from '../expr/partial.ts';
import { EvalFault, type Scope, Waiting } from '../expr/scope.ts';
import type { Node, Part } from '../expr/syntax.ts';
import { evaluateTemplate } from '../expr/template.ts';
import type { ExprList, ExprMap } from '../file/block.ts';
import { convert, type ExprType, expected } from '../file/convert.ts';
import { type Expr, spanWithin, type WholeExpr } from '../file/expr.ts';
import { codeOf } from '../file/report.ts';
import { str } from '../python/text.ts';
import { Dict, isList, iterate, Later, PythonError, Struct, tryText, typeName, type Value } from '../python/value.ts';
import { type Place, platformUri } from './place.ts';

/** What a value waits for: `$expr` is a template that gives it once the contexts `waits` are there. */
export class Residual {
  readonly $expr: string;
  readonly waits: readonly string[];
  /** What the field still does to the value, where the expression cannot: `time`, `bash`. */
  readonly as: ExprType | undefined;
  constructor($expr: string, waits: readonly string[], as?: ExprType) {
    this.$expr = $expr;
    this.waits = waits;
    this.as = as;
  }
  toJSON(): object {
    return { $expr: this.$expr, waits: this.waits, ...(this.as === undefined ? {} : { as: this.as }) };
  }
}

/** A field's value as far as it can be known. */
export type Known<T = Value> = T | Residual;
export const isKnown = <T>(value: Known<T>): value is T => !(value instanceof Residual);

/** A scope of a flow: fields of some types ask for the place and the project that they are in. */
export interface FieldScope {
  readonly scope: Scope;
  readonly place: Place;
  /** Values that are the same for all tasks of a list. */
  readonly memo?: WeakMap<Expr, Known>;
}

/** Thrown when a value cannot be had and the fault is reported already. */
export class Refused extends Error {}

/** A field's value. @throws Refused */
export function evaluateExpr(expr: Expr, at: FieldScope): Known {
  if (expr.parts === undefined) return expr.constant === null ? null : finish(expr, expr.constant, at);
  const memo = VARYING.test(String(expr.given)) ? undefined : at.memo;
  const known = memo?.get(expr);
  if (known !== undefined) return known;
  const value = evaluateParts(expr, expr.parts, at);
  memo?.set(expr, value);
  return value;
}

/** Names that mean something else for each task of a list. */
const VARYING = /\b(?:matrix|needs|state|strategy|success|failure|always)\b/;

function evaluateParts(expr: Expr, parts: readonly Part[], at: FieldScope): Known {
  try {
    const value = evaluateTemplate(parts, at.scope);
    return finish(expr, convert(expr.type, value), at);
  } catch (error) {
    if (error instanceof Waiting) return waiting(expr, parts, at);
    throw refused(error, expr, parts);
  }
}

function waiting(expr: Expr, parts: readonly Part[], at: FieldScope): Residual {
  try {
    const rest = restOf(parts, at.scope);
    return residual(rest.parts, rest.waits, expr.type);
  } catch (error) {
    throw refused(error, expr, parts);
  }
}

function refused(error: unknown, expr: Expr | WholeExpr, parts: readonly Part[]): Error {
  if (error instanceof EvalFault) {
    expr.report.add(
      codeOf(error),
      spanWithin(textOf(expr, parts), expr, expr.report, error),
      error.message,
      error.hint,
    );
    return new Refused();
  }
  if (error instanceof PythonError) {
    const what = expr.kind === 'expr' ? expected(expr.type) : expr.of === 'list' ? 'a list' : 'keys and values';
    expr.report.add('FLOW_EXPRESSION', expr, `expected ${what}: ${error.message}`);
    return new Refused();
  }
  return error instanceof Error ? error : new Error(String(error));
}

/** The template's text, by which offsets of its parts are found again in the file. */
function textOf(expr: Expr | WholeExpr, parts: readonly Part[]): string {
  if (expr.kind === 'expr' && typeof expr.given === 'string') return expr.given;
  const source = expr.report.text.slice(expr.start, expr.end);
  return parts.length === 1 ? source.replace(/^['"]|['"]$/g, '') : source;
}

function finish(expr: Expr, value: Value, at: FieldScope): Value {
  const isImage = expr.type === 'imageRef' && typeof value === 'string' && value.startsWith('image:');
  if (expr.type !== 'uri' && !isImage) return value;
  const project = projectOf(at.scope);
  if (project === undefined) return value;
  try {
    const uri = platformUri(str(value), at.place, project, { short: true });
    return isImage ? uri.text : uri;
  } catch (error) {
    if (!(error instanceof PythonError)) throw error;
    expr.report.add('FLOW_VALUE', expr, error.message);
    throw new Refused();
  }
}

function projectOf(scope: Scope): string | undefined {
  const looked = scope.lookup('project');
  const project = looked !== undefined && 'value' in looked ? looked.value : undefined;
  if (!(project instanceof Struct)) return undefined;
  const name = project.tryGet('project_name');
  return name === undefined ? undefined : (tryText(name) ?? undefined);
}

/** What the expression language itself can do of a field's conversion is put into the expression. */
function residual(parts: readonly Part[], waits: readonly string[], type: ExprType): Residual {
  const single = parts.length === 1;
  const wrap = (call: string) => (text: string, node: Node) => (isText(node) ? text : `${call}(${text})`);
  switch (type) {
    case 'str':
    case 'primitive':
      return new Residual(templateText(parts, single && type === 'str' ? wrap('str') : undefined), waits);
    case 'bash':
    case 'python':
      return shell(parts, waits, type);
    case 'bool':
      return new Residual(
        templateText(parts, (text) => `not (not (${text}))`),
        waits,
      );
    case 'enable':
      return new Residual(templateText(parts), waits, isTruth(parts) ? undefined : 'enable');
    case 'int':
      return new Residual(
        templateText(parts, (text) => `int(${text})`),
        waits,
      );
    default:
      return new Residual(templateText(parts), waits, type);
  }
}

function isTruth(parts: readonly Part[]): boolean {
  const [part] = parts;
  if (part?.kind !== 'expression') return false;
  const truth = (node: Node): boolean =>
    (node.kind === 'call' && ['success', 'failure', 'always'].includes(node.name)) ||
    (node.kind === 'literal' && typeof node.value === 'boolean') ||
    (node.kind === 'unary' && node.operator === 'not') ||
    (node.kind === 'binary' &&
      (/[=<>]/.test(node.operator) || (/and|or/.test(node.operator) && truth(node.left) && truth(node.right))));
  return truth(part.node);
}

/** Outputs and states are texts; so is what some functions give. */
function isText(node: Node): boolean {
  if (node.kind === 'literal') return typeof node.value === 'string';
  if (node.kind === 'call')
    return (
      ['str', 'fmt', 'lower', 'upper', 'replace', 'join', 'to_json'].includes(node.name) && node.trailer.length === 0
    );
  if (node.kind !== 'lookup') return false;
  return (
    node.root === 'state' ||
    (node.root === 'needs' &&
      node.trailer.length === 3 &&
      node.trailer[1]?.kind === 'attribute' &&
      node.trailer[1].name === 'outputs')
  );
}

/** A script stays quoted for the shell whatever comes, if its own text needs quotes already. */
function shell(parts: readonly Part[], waits: readonly string[], type: 'bash' | 'python'): Residual {
  const certain = parts.some((part) => part.kind === 'text' && /[^A-Za-z0-9_@%+=:,./-]/.test(part.text));
  if (!certain) return new Residual(templateText(parts), waits, type);
  const quoted = parts.map(
    (part): Part => (part.kind === 'text' ? { ...part, text: part.text.replaceAll("'", `'"'"'`) } : part),
  );
  const text = templateText(
    quoted,
    (inner, node) => `replace(${isText(node) ? inner : `str(${inner})`}, "'", '\\x27"\\x27"\\x27')`,
  );
  return new Residual(
    `${type === 'bash' ? 'bash -euo pipefail' : 'python3'} ${type === 'bash' ? '-c' : '-uc'} '${text}'`,
    waits,
  );
}

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
        if (name === undefined) throw new PythonError('TypeError', `the key ${str(key)} is no text`);
        return [name, itemOf(map.item, item)] as const;
      }),
    );
  });
}

function itemOf(type: ExprType, item: Value): Value {
  if (type === 'str') return item === null ? null : str(item);
  return type === 'primitive' ? item : convert(type, item);
}

function whole<T>(expr: WholeExpr, parts: readonly Part[], at: FieldScope, take: (value: Value) => T): Known<T> {
  try {
    return take(evaluateTemplate(parts, at.scope));
  } catch (error) {
    if (!(error instanceof Waiting)) throw refused(error, expr, parts);
  }
  try {
    const rest = restOf(parts, at.scope);
    return new Residual(templateText(rest.parts), rest.waits);
  } catch (error) {
    throw refused(error, expr, parts);
  }
}

/** All of a collection, so that every fault in it is reported. @throws Refused after the last */
export function each<T, R>(items: Iterable<T>, run: (item: T) => R): R[] {
  const results: R[] = [];
  let failed = false;
  for (const item of items) {
    const result = attempt(() => run(item));
    if (result === undefined) failed = true;
    else results.push(result.value);
  }
  if (failed) throw new Refused();
  return results;
}

/** The value, or undefined where it was refused. */
export function attempt<T>(run: () => T): { readonly value: T } | undefined {
  try {
    return { value: run() };
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

/** A known value for a context; what is not known waits for what it waits for. */
export const asContext = (value: Known): Value =>
  value instanceof Residual ? new Later(value.waits[0] ?? 'params') : value;
