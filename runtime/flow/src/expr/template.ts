import { MAX_SIZE } from '../python/operators.ts';
import { str } from '../python/text.ts';
import type { Value } from '../python/value.ts';
import { evaluate } from './evaluate.ts';
import { parseExpression, parseTemplate } from './parser.ts';
import { EvalFault, type Scope } from './scope.ts';
import type { Node, Part } from './syntax.ts';

/** The value of a template: typed where it is one expression, else the text of all parts in turn. @throws EvalFault, Waiting */
export function evaluateTemplate(parts: readonly Part[], scope: Scope): Value {
  const [first] = parts;
  if (first === undefined) return '';
  if (parts.length === 1) return partValue(first, scope);
  let size = 0;
  const texts = parts.map((part) => {
    const text = str(partValue(part, scope));
    size += text.length;
    if (part.kind === 'expression' && size > MAX_SIZE)
      throw new EvalFault(`makes more than ${MAX_SIZE} characters`, part.node);
    return text;
  });
  return texts.join('');
}

function partValue(part: Part, scope: Scope): Value {
  return part.kind === 'text' ? part.text : evaluate(part.node, scope);
}

/** An expression as a person types it: bare, or a template with its marks. @throws SyntaxFault */
export function parseGiven(text: string): readonly Part[] {
  if (text.includes('${{') || text.includes('$[[')) return parseTemplate(text);
  const node: Node = parseExpression(text);
  return [{ kind: 'expression', node, start: node.start, end: node.end }];
}
