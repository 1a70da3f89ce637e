import { urlOf } from '../expand/contexts/place.ts';
import { floatOfInt, floatOfText, intOfFloat, intOfText } from '../python/number.ts';
import { repr, str } from '../python/text.ts';
import {
  ALWAYS,
  Always,
  isList,
  Path,
  truthy,
  tryText,
  typeError,
  typeName,
  type Value,
  valueError,
} from '../python/value.ts';

/** The type that a field converts its value to. */
export type ExprType =
  | 'str'
  | 'id'
  | 'bool'
  | 'enable'
  | 'int'
  | 'time'
  | 'localPath'
  | 'remotePath'
  | 'uri'
  | 'imageRef'
  | 'primitive'
  | 'bash'
  | 'python'
  | 'portPair'
  | 'restart';

/** Types whose template must be the whole value: text around it is refused. */
export const WHOLE: ReadonlySet<ExprType> = new Set(['bool', 'enable', 'int', 'time']);

const IN_WORDS: Readonly<Record<ExprType, string>> = {
  str: 'text',
  id: 'a name',
  bool: 'true or false',
  enable: 'true, false or an expression such as ${{ always() }}',
  int: 'a whole number',
  time: 'a time such as 1d2h30m10s, or seconds',
  localPath: 'a path',
  remotePath: 'a path in the container',
  uri: 'an address such as storage:folder',
  imageRef: 'an image',
  primitive: 'one value',
  bash: 'a script',
  python: 'a script',
  portPair: 'LOCAL:REMOTE in quotes, such as "8080:80"',
  restart: 'never, on-failure or always',
};
/** The values that a field of a type takes, in a person's words. */
export const expected = (type: ExprType): string => IN_WORDS[type];

/** A value as the field has it. @throws PythonError */
export function convert(type: ExprType, value: Value): Value {
  switch (type) {
    case 'str':
    case 'imageRef':
      return str(value);
    case 'id':
      return identifier(value);
    case 'bool':
      return truthy(value);
    case 'enable':
      return value instanceof Always || value === 'always()' ? ALWAYS : truthy(value);
    case 'int':
      return int(value);
    case 'time':
      return time(value);
    case 'localPath':
      return path(value, true);
    case 'remotePath':
      return path(value, false);
    case 'uri': {
      const text = tryText(value);
      if (text === undefined) throw typeError(`expected ${expected(type)}, not ${typeName(value)}`);
      return urlOf(text);
    }
    case 'primitive':
      return typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean' ? value : str(value);
    case 'bash':
      return `bash -euo pipefail -c ${shellQuoted(str(value))}`;
    case 'python':
      return `python3 -uc ${shellQuoted(str(value))}`;
    case 'portPair': {
      const text = str(value);
      if (!/^\p{Nd}+:\p{Nd}+\n?$/u.test(text)) throw valueError(`${repr(value)} is not a pair of ports`);
      return text;
    }
    case 'restart': {
      const text = str(value);
      if (!['never', 'on-failure', 'always'].includes(text)) throw valueError(`${repr(value)} is not a way to restart`);
      return text;
    }
  }
}

/** Why a text is no name, or undefined where it is one. */
export function idFault(text: string): string | undefined {
  const first = text.replace(/^[^\p{XID_Start}_]+/u, '');
  if (!/^[\p{XID_Start}_][\p{XID_Continue}]*$/u.test(text.normalize('NFKC'))) {
    const near = first.replace(/[^\p{XID_Continue}]+/gu, '_');
    const hint = near === '' || near === near.toUpperCase() ? '' : `: write \`${near}\``;
    return `\`${text}\` is not a name: use letters, digits and underscores, and begin with a letter${hint}`;
  }
  if (text === text.toUpperCase()) return `\`${text}\` has no small letter: names in capitals are reserved`;
  return undefined;
}

function identifier(value: Value): string {
  if (typeof value !== 'string') throw typeError(`${repr(value)} is not text: put it in quotes`);
  const fault = idFault(value);
  if (fault !== undefined) throw valueError(fault);
  return value;
}

function int(value: Value): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number') return intOfFloat(value);
  const text = tryText(value);
  if (text === undefined) throw typeError(`${typeName(value)} is not a whole number`);
  return intOfText(text);
}

const TIME = /^(?:(\p{Nd}+)d)?(?:(\p{Nd}+)h)?(?:(\p{Nd}+)m)?(?:(\p{Nd}+)s)?\n?$/u;

/** Seconds. */
function time(value: Value): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return floatOfInt(value);
  if (typeof value === 'boolean') return value ? 1 : 0;
  const text = tryText(value);
  if (text === undefined) throw typeError(`${typeName(value)} is not a time`);
  const units = TIME.exec(text);
  try {
    return floatOfText(text);
  } catch (error) {
    if (units === null) throw valueError(`${repr(text)} is not a time`);
    const [days = 0, hours = 0, minutes = 0, seconds = 0] = units
      .slice(1)
      .map((digits) => Number(intOfText(digits ?? '0')));
    if (days > 999_999_999) throw error;
    return days * 86_400 + hours * 3600 + minutes * 60 + seconds;
  }
}

function path(value: Value, local: boolean): Path {
  if (value instanceof Path) return new Path(value.text, local);
  const text = tryText(value);
  if (text === undefined) throw typeError(`${isList(value) ? 'a list' : typeName(value)} is not a path`);
  return new Path(text, local);
}

/** A word that a POSIX shell reads as it is (shlex.quote of Python). */
export function shellQuoted(text: string): string {
  if (text === '') return "''";
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}
