import { formatFloat, formatInt, formatText, parseSpec } from './format-spec.ts';
import { quoted, repr, str } from './text.ts';
import {
  Dict,
  isList,
  PythonError,
  Status,
  Struct,
  tryText,
  typeError,
  typeName,
  type Value,
  valueError,
} from './value.ts';

/** `spec.format(*args)` of Python. @throws PythonError */
export function format(spec: string, args: readonly Value[]): string {
  return render(spec, { args, automatic: undefined, next: 0 }, 2);
}

interface Fields {
  readonly args: readonly Value[];
  /** True for `{}`, false for `{0}`; the two do not mix. */
  automatic: boolean | undefined;
  next: number;
}

function render(spec: string, fields: Fields, depth: number): string {
  if (depth < 0) throw valueError('Max string recursion exceeded');
  let out = '';
  let index = 0;
  while (index < spec.length) {
    const char = spec[index] as string;
    if (char === '{' || char === '}') {
      if (spec[index + 1] === char) {
        out += char;
        index += 2;
        continue;
      }
      if (char === '}') throw valueError("Single '}' encountered in format string");
      const end = closing(spec, index);
      out += field(spec.slice(index + 1, end), fields, depth);
      index = end + 1;
    } else {
      out += char;
      index += 1;
    }
  }
  return out;
}

/** The `}` that ends the field begun at `start`; brackets of an index hide braces in the name. */
function closing(spec: string, start: number): number {
  let open = 0;
  let index = start;
  if (start + 1 >= spec.length) throw valueError("Single '{' encountered in format string");
  let named = true;
  for (; index < spec.length; index++) {
    const char = spec[index];
    if (char === '[' && open === 1 && named) {
      const end = spec.indexOf(']', index);
      if (end === -1) throw valueError("expected '}' before end of string");
      index = end;
    } else if ((char === ':' || char === '!') && open === 1) named = false;
    else if (char === '{') open += 1;
    else if (char === '}') {
      open -= 1;
      if (open === 0) return index;
    }
  }
  throw valueError("expected '}' before end of string");
}

function field(text: string, fields: Fields, depth: number): string {
  const { name, conversion, spec } = parts(text);
  const value = converted(lookup(name, fields), conversion);
  return formatValue(value, spec.includes('{') || spec.includes('}') ? render(spec, fields, depth - 1) : spec);
}

function parts(text: string): { readonly name: string; readonly conversion?: string; readonly spec: string } {
  let end = 0;
  while (end < text.length && text[end] !== ':' && text[end] !== '!') {
    if (text[end] === '{') throw valueError("unexpected '{' in field name");
    end = text[end] === '[' ? Math.max(end, text.indexOf(']', end)) + 1 : end + 1;
  }
  const name = text.slice(0, end);
  if (text[end] !== '!') return { name, spec: text.slice(end + 1) };
  const conversion = text.codePointAt(end + 1);
  if (conversion === undefined) throw valueError('end of string while looking for conversion specifier');
  const sign = String.fromCodePoint(conversion);
  const after = end + 1 + sign.length;
  if (after < text.length && text[after] !== ':') throw valueError("expected ':' after conversion specifier");
  return { name, conversion: sign, spec: text.slice(after + 1) };
}

function lookup(name: string, fields: Fields): Value {
  const [, first = '', rest = ''] = /^([^.[]*)(.*)$/s.exec(name) as RegExpExecArray;
  const automatic = first === '';
  if (automatic || /^\d+$/.test(first)) {
    if (fields.automatic !== undefined && fields.automatic !== automatic) {
      throw valueError('cannot switch between automatic field numbering and manual field specification');
    }
    fields.automatic = automatic;
  } else {
    throw new PythonError('KeyError', quoted(first));
  }
  const position = automatic ? fields.next++ : Number(first);
  const value = fields.args[position];
  if (value === undefined) {
    throw valueError(`Replacement index ${position} out of range for positional args tuple`);
  }
  return steps(value, rest);
}

function steps(start: Value, text: string): Value {
  let value = start;
  let rest = text;
  while (rest !== '') {
    const step = /^\.([^.[]+)|^\[([^\]]+)\]/.exec(rest);
    if (step === null) throw valueError('Empty attribute in format string');
    value = step[1] === undefined ? item(value, step[2] as string) : attribute(value, step[1]);
    rest = rest.slice(step[0].length);
    if (rest !== '' && !/^[.[]/.test(rest))
      throw valueError("Only '.' or '[' may follow ']' in format field specifier");
  }
  return value;
}

function attribute(value: Value, name: string): Value {
  const found = value instanceof Struct ? value.tryGet(name) : undefined;
  if (found === undefined) throw typeError(`'${typeName(value)}' object has no attribute '${name}'`);
  return found;
}

function item(value: Value, key: string): Value {
  const index = /^\d+$/.test(key) ? BigInt(key) : key;
  if (value instanceof Dict) {
    const found = value.get(index);
    if (found === undefined) throw new PythonError('KeyError', repr(index));
    return found;
  }
  const characters = tryText(value);
  const list = characters === undefined ? value : [...characters];
  if (!isList(list)) throw typeError(`'${typeName(value)}' object is not subscriptable`);
  if (typeof index !== 'bigint') throw typeError('indices must be integers');
  const found = list[Number(index)];
  if (found === undefined) throw new PythonError('KeyError', 'index out of range');
  return found;
}

function converted(value: Value, conversion: string | undefined): Value {
  switch (conversion) {
    case undefined:
      return value;
    case 's':
      return str(value);
    case 'r':
      return repr(value);
    case 'a':
      return ascii(repr(value));
    default:
      throw valueError(`Unknown conversion specifier ${conversion}`);
  }
}

/** `ascii(value)` from `repr(value)`. */
export function ascii(text: string): string {
  return [...text].map((char) => ((char.codePointAt(0) ?? 0) < 0x80 ? char : quoted(char, true).slice(1, -1))).join('');
}

/** `format(value, spec)` of Python. @throws PythonError */
export function formatValue(value: Value, spec: string): string {
  if (spec === '') return str(value);
  if (typeof value === 'string') return formatText(value, parseSpec(spec));
  if (value instanceof Status) return formatText(value.member, parseSpec(spec));
  if (typeof value === 'boolean') return formatInt(value ? 1n : 0n, parseSpec(spec));
  if (typeof value === 'bigint') return formatInt(value, parseSpec(spec));
  if (typeof value === 'number') return formatFloat(value, parseSpec(spec));
  throw typeError(`unsupported format string passed to ${typeName(value)}.__format__`);
}
