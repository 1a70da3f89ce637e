import { parseTemplate } from '../expr/parser.ts';
import { namesRead } from '../expr/reads.ts';
import { type Part, SyntaxFault } from '../expr/syntax.ts';
import { PythonError, type Value } from '../python/value.ts';
import { isNull, kindInWords, type ScalarValue, type Span, type YamlNode } from '../yaml/node.ts';
import { convert, type ExprType, expected, WHOLE } from './convert.ts';
import { codeOf, type Report } from './report.ts';

/** A value of a file: a constant, or a template to be evaluated where its contexts are there. */
export interface Expr extends Span {
  readonly kind: 'expr';
  readonly type: ExprType;
  readonly report: Report;
  /** As written; null where nothing stands. */
  readonly given: ScalarValue;
  /** The parts of a template; undefined for a constant. */
  readonly parts: readonly Part[] | undefined;
  /** The value of a constant, converted for its field; null where the field is empty. */
  readonly constant: Value;
  readonly depends: Depends;
}

/** For what a value is the same: all tasks of a place, all rows of a task, or one row alone. */
export type Depends = 'place' | 'task' | 'row';
const OF_ROW = ['matrix', 'needs', 'state'];

function dependsOn(parts: readonly Part[]): Depends {
  const names = namesRead(parts);
  if (OF_ROW.some((name) => names.has(name))) return 'row';
  return names.has('strategy') ? 'task' : 'place';
}

/** One template that gives a whole list or mapping. */
export interface WholeExpr extends Span {
  readonly kind: 'whole';
  readonly of: 'list' | 'map';
  readonly item: ExprType;
  readonly report: Report;
  /** Undefined where nothing stands. */
  readonly parts: readonly Part[] | undefined;
  readonly depends: Depends;
}

export interface ExprOptions {
  readonly type: ExprType;
  readonly nullable: boolean;
  readonly template: boolean;
}

/** Reads one value; undefined, with the fault reported, where it is none. */
export function readExpr(node: YamlNode, report: Report, { type, nullable, template }: ExprOptions): Expr | undefined {
  if (node.kind !== 'scalar') {
    report.add('FLOW_SCALAR', node, `expected ${expected(type)}, found ${kindInWords(node)}`);
    return undefined;
  }
  return exprOf(node.value, node, report, { type, nullable, template });
}

export function exprOf(given: ScalarValue, span: Span, report: Report, options: ExprOptions): Expr | undefined {
  const { type, nullable, template } = options;
  const depends: Depends = 'place';
  const base = { kind: 'expr' as const, type, report, given, depends, start: span.start, end: span.end };
  if (given === null) {
    if (nullable) return { ...base, parts: undefined, constant: null };
    report.add('FLOW_VALUE', span, `expected ${expected(type)}, found nothing`);
    return undefined;
  }
  if (typeof given === 'string') {
    const parts = tryParse(given, span, report);
    if (parts === undefined) return undefined;
    if (WHOLE.has(type) && parts.length !== 1) {
      if (parts.length === 0) report.add('FLOW_VALUE', span, `expected ${expected(type)}, found an empty text`);
      else
        report.add(
          'FLOW_TEMPLATE',
          span,
          `expected ${expected(type)}: a template must be the whole value`,
          'move the text into the template',
        );
      return undefined;
    }
    if (parts.some((part) => part.kind === 'expression')) {
      if (template) return { ...base, parts, constant: null, depends: dependsOn(parts) };
      report.add('FLOW_TEMPLATE', span, 'a template is not allowed here', 'write the value itself');
      return undefined;
    }
  }
  try {
    return { ...base, parts: undefined, constant: convert(type, given) };
  } catch (error) {
    if (!(error instanceof PythonError)) throw error;
    report.add(
      type === 'id' ? 'FLOW_ID' : 'FLOW_VALUE',
      span,
      type === 'id' ? error.message : `expected ${expected(type)}, found ${shown(given)}`,
    );
    return undefined;
  }
}

const shown = (given: ScalarValue): string =>
  typeof given === 'string'
    ? JSON.stringify(given)
    : String(typeof given === 'object' && given !== null ? given.text : given);

/** Reads a list or mapping that one template gives. */
export function readWhole(node: YamlNode, report: Report, of: 'list' | 'map', item: ExprType): WholeExpr | undefined {
  const noun = of === 'list' ? 'a list' : 'keys and values';
  const depends: Depends = 'place';
  const base = { kind: 'whole' as const, of, item, report, depends, start: node.start, end: node.end };
  if (of === 'list' && isNull(node)) return { ...base, parts: undefined };
  if (node.kind !== 'scalar' || typeof node.value !== 'string') {
    report.add('FLOW_TYPE', node, `expected ${noun}, found ${kindInWords(node)}`);
    return undefined;
  }
  const parts = tryParse(node.value, node, report);
  if (parts === undefined) return undefined;
  if (parts.length === 1 && parts[0]?.kind === 'expression') return { ...base, parts, depends: dependsOn(parts) };
  const mixed = parts.some((part) => part.kind === 'expression');
  if (mixed) report.add('FLOW_TEMPLATE', node, `expected ${noun}: a template must be the whole value`);
  else
    report.add(
      'FLOW_TYPE',
      node,
      `expected ${noun}, found ${kindInWords(node)}`,
      of === 'list' ? `write [${node.text}]` : undefined,
    );
  return undefined;
}

function tryParse(text: string, span: Span, report: Report): readonly Part[] | undefined {
  try {
    return parseTemplate(text);
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    report.add(codeOf(error), spanWithin(text, span, report, error), error.message, error.hint);
    return undefined;
  }
}

/**
 * Where a stretch of a scalar's text stands in the file. The two are walked together, since quotes, escapes, folded
 * lines and indentation make them differ.
 */
export function spanWithin(text: string, span: Span, report: Report, part: Span): Span {
  const source = report.text;
  let at = span.start;
  if (source[at] === '"' || source[at] === "'") at += 1;
  else if (source[at] === '|' || source[at] === '>') at = Math.max(at, source.indexOf('\n', at) + 1);
  const quote = source[span.start];
  let start: number | undefined;
  for (let index = 0; index < text.length && at < span.end; index++) {
    const char = text[index] as string;
    // Line ends and indentation of the source stand for one blank or line end of the text, or for none.
    if (source[at] !== char) while (at < span.end && /\s/.test(source[at] ?? 'x')) at += 1;
    if (index === part.start) start = at;
    if (index === part.end) return { start: start ?? at, end: at };
    if (source[at] === char) at += quote === "'" && char === "'" && source[at + 1] === "'" ? 2 : 1;
    else if (quote === '"' && source[at] === '\\')
      at += /^\\(?:x..|u.{4}|U.{8}|.)/s.exec(source.slice(at, at + 10))?.[0].length ?? 1;
  }
  return { start: start ?? Math.min(at, span.end), end: span.end };
}
