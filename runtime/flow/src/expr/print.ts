import { floatText, intText } from '../python/text.ts';
import { Dict, isList, type Value } from '../python/value.ts';
import type { Getter, Node } from './syntax.ts';

/** An expression's text, without the marks of a template. */
export function printNode(node: Node): string {
  switch (node.kind) {
    case 'literal':
      return tryLiteral(node.value) ?? 'None';
    case 'lookup':
      return node.root + trailer(node.trailer);
    case 'call':
      return `${node.name}(${node.args.map(printNode).join(', ')})${trailer(node.trailer)}`;
    case 'binary':
      return `${operand(node.left)} ${node.operator} ${operand(node.right)}`;
    case 'unary':
      return `${node.operator} ${operand(node.operand)}`;
    case 'list':
      return list(node.items.map(printNode));
    case 'dict':
      return dict(node.items.map(([key, value]) => `${printNode(key)}: ${printNode(value)}`));
    case 'choice':
      return `${operand(node.consequent)} if ${operand(node.condition)} else ${operand(node.otherwise)}`;
    case 'comprehension': {
      const condition = node.condition === undefined ? '' : ` if ${operand(node.condition)}`;
      return `[${operand(node.item)} for ${node.variable} in ${operand(node.source)}${condition}]`;
    }
  }
}

const operand = (node: Node): string =>
  ['binary', 'unary', 'choice'].includes(node.kind) ? `(${printNode(node)})` : printNode(node);

const trailer = (getters: readonly Getter[]): string =>
  getters
    .map((getter) => (getter.kind === 'attribute' ? `.${getter.name}` : `[${closed(printNode(getter.key))}]`))
    .join('');

/** `]]` and `}}` would end the template. */
const closed = (text: string): string => (/[\]}]$/.test(text) ? `${text} ` : text);
const list = (items: readonly string[]): string => `[${closed(items.join(', '))}]`;
const dict = (items: readonly string[]): string => `{${closed(items.join(', '))}}`;

/** A value as a literal, or undefined for what the language has none. */
export function tryLiteral(value: Value): string | undefined {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'bigint') return intText(value);
  if (typeof value === 'number') return floatLiteral(value);
  if (typeof value === 'string') return textLiteral(value);
  if (isList(value)) {
    const items = value.map(tryLiteral);
    return items.some((item) => item === undefined) ? undefined : list(items as string[]);
  }
  if (value instanceof Dict) {
    const items = [...value.entries()].map(([key, item]) => [tryLiteral(key), tryLiteral(item)] as const);
    if (items.some(([key, item]) => key === undefined || item === undefined)) return undefined;
    return dict(items.map(([key, item]) => `${key}: ${item}`));
  }
  return undefined;
}

/** A literal needs a point: `1e+16` is none. */
function floatLiteral(value: number): string | undefined {
  if (!Number.isFinite(value)) return undefined;
  const text = floatText(value);
  return text.includes('.') ? text : text.replace('e', '.0e');
}

function textLiteral(value: string): string {
  const mark = value.includes("'") && !value.includes('"') ? '"' : "'";
  const escaped = [...value].map((char) => {
    const code = char.codePointAt(0) ?? 0;
    if (char === '\\') return '\\\\';
    if (char === '\n') return '\\n';
    if (char === '\t') return '\\t';
    if (char === mark || code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code >= 0xd800 && code <= 0xdfff ? `\\u${code.toString(16)}` : char;
  });
  return mark + escaped.join('') + mark;
}
