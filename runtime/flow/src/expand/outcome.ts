import { EvalFault, type Scope } from '../expr/scope.ts';
import type { Part } from '../expr/syntax.ts';
import { evaluateTemplate } from '../expr/template.ts';
import { convert, expected } from '../file/convert.ts';
import { type Expr, spanWithin, type WholeExpr } from '../file/expr.ts';
import { codeOf } from '../file/report.ts';
import { str } from '../python/text.ts';
import { Later, PythonError, Struct, tryText, type Value, Waiting } from '../python/value.ts';
import { type Place, platformUri } from './contexts/place.ts';
import { Residual, residualOf } from './residual.ts';

/** A field's value as far as it can be known. */
export type Known<T = Value> = T | Residual;
export const isKnown = <T>(value: Known<T>): value is T => !(value instanceof Residual);

/** A scope of a flow: fields of some types ask for the place and the project that they are in. */
export interface FieldScope {
  readonly scope: Scope;
  readonly place: Place;
  readonly memo?: Memo;
}

/** Values found before: those that are the same for all tasks of a place, and those for all rows of a task. */
export interface Memo {
  readonly place: Map<Expr, Known>;
  readonly task: Map<Expr, Known>;
}

/** Thrown when a value cannot be had and the fault is reported already. */
export class Refused extends Error {}

/** A field's value. @throws Refused */
export function evaluateExpr(expr: Expr, at: FieldScope): Known {
  const { depends, parts } = expr;
  if (parts === undefined) return expr.constant === null ? null : finish(expr, expr.constant, at);
  const memo = depends === 'row' ? undefined : at.memo?.[depends];
  const known = memo?.get(expr);
  if (known !== undefined) return known;
  const value = evaluateParts(expr, parts, at);
  memo?.set(expr, value);
  return value;
}

function evaluateParts(expr: Expr, parts: readonly Part[], at: FieldScope): Known {
  try {
    const value = evaluateTemplate(parts, at.scope);
    return finish(expr, convert(expr.type, value), at);
  } catch (error) {
    if (!(error instanceof Waiting)) throw refused(error, expr, parts);
  }
  return waiting(expr, parts, at.scope);
}

function waiting(expr: Expr, parts: readonly Part[], scope: Scope): Residual {
  try {
    return residualOf(parts, scope, expr.type);
  } catch (error) {
    throw refused(error, expr, parts);
  }
}

/** The fault said where it belongs; what is no fault of the file is thrown on. */
export function refused(error: unknown, expr: Expr | WholeExpr, parts: readonly Part[]): Error {
  if (error instanceof EvalFault) {
    expr.report.add(
      codeOf(error),
      spanWithin(writtenText(expr, parts), expr, expr.report, error),
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
export function writtenText(expr: Expr | WholeExpr, parts: readonly Part[]): string {
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

/** All of a collection, so that every fault in it is reported. @throws Refused after the last */
export function each<T, R>(items: Iterable<T>, run: (item: T) => R): R[] {
  const results: R[] = [];
  let failed = false;
  for (const item of items) {
    try {
      results.push(run(item));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      failed = true;
    }
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
