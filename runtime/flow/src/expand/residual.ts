import { restOf, templateText } from '../expr/partial.ts';
import type { Scope } from '../expr/scope.ts';
import type { Node, Part } from '../expr/syntax.ts';
import type { ExprType } from '../file/convert.ts';
import { type CertainType, certainType } from './contexts/certain-type.ts';

/** A value that is not known yet. `$expr` is a template that gives it once the contexts in `waits` are there. */
export class Residual {
  readonly $expr: string;
  readonly waits: readonly string[];
  /** A conversion that the field does after the expression, because the expression cannot: `time`, `bash`. */
  readonly as: ExprType | undefined;
  /** The type of what the template gives, where its form alone tells. */
  readonly gives: CertainType | undefined;
  constructor(
    $expr: string,
    waits: readonly string[],
    options: { as?: ExprType; gives?: CertainType | undefined } = {},
  ) {
    this.$expr = $expr;
    this.waits = waits;
    this.as = options.as;
    this.gives = options.gives;
  }
  toJSON(): object {
    return { $expr: this.$expr, waits: this.waits, ...(this.as === undefined ? {} : { as: this.as }) };
  }
}

/**
 * What is left of a template for a field: what the expression language itself can do of the field's conversion is put
 * into the expression. @throws EvalFault where it fails whatever comes later
 */
export function residualOf(given: readonly Part[], scope: Scope, type?: ExprType): Residual {
  const { parts, waits } = restOf(given, scope);
  const single = parts.length === 1;
  const wrap = (call: string) => (text: string, node: Node) => (isPlainText(node) ? text : `${call}(${text})`);
  switch (type) {
    case undefined:
      return new Residual(templateText(parts), waits);
    case 'str':
      return new Residual(templateText(parts, single ? wrap('str') : undefined), waits);
    case 'primitive':
      return new Residual(templateText(parts), waits, { gives: certainType(parts) });
    case 'bash':
    case 'python':
      return shell(parts, waits, type);
    case 'bool':
      return new Residual(
        templateText(parts, (text) => `not (not (${text}))`),
        waits,
      );
    case 'enable':
      return new Residual(templateText(parts), waits, isTruth(parts) ? {} : { as: 'enable' });
    case 'int':
      return new Residual(
        templateText(parts, (text) => `int(${text})`),
        waits,
      );
    default:
      return new Residual(templateText(parts), waits, { as: type });
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

/** Whether `str()` of a value is the value itself: outputs and states are texts; so is what some functions give. */
function isPlainText(node: Node): boolean {
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
  if (!certain) return new Residual(templateText(parts), waits, { as: type });
  const quoted = parts.map(
    (part): Part => (part.kind === 'text' ? { ...part, text: part.text.replaceAll("'", `'"'"'`) } : part),
  );
  const text = templateText(
    quoted,
    (inner, node) => `replace(${isPlainText(node) ? inner : `str(${inner})`}, "'", '\\x27"\\x27"\\x27')`,
  );
  const words = type === 'bash' ? 'bash -euo pipefail -c' : 'python3 -uc';
  return new Residual(`${words} '${text}'`, waits);
}
