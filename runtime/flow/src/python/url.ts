import { floatText, intText, str } from './text.ts';
import { Dict, isList, iterate, truthy, tryText, typeError, typeName, Url, type Value, valueError } from './value.ts';

/*
 * Addresses as yarl joins them, the class that the language's addresses are of.
 */

/** Percent-encodes what a path may not hold (RFC 3986, section 3.3). */
export function quotePath(path: string, keepEscapes = false): string {
  const pattern = keepEscapes
    ? /%[0-9a-fA-F]{2}|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?]/gu
    : /[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/gu;
  return path.replace(pattern, (char) =>
    char.length === 3 && char.startsWith('%') ? char.toUpperCase() : quoted(char),
  );
}
const quoted = (char: string): string => (char.isWellFormed() ? encodeURIComponent(char) : '%EF%BF%BD');

/** One side of a pair of a query; a blank is a plus. */
const quoteQuery = (text: string): string =>
  text.replace(/[^A-Za-z0-9\-._~!$'()*,?/:@]/gu, (char) =>
    char === ' ' ? '+' : char.isWellFormed() ? encodeURIComponent(char) : '',
  );

interface Pieces {
  readonly path: string;
  readonly query: string;
  readonly fragment: string;
}

function pieces({ text }: Url): Pieces {
  const [, path = '', query = '', fragment = ''] = /^([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text) ?? [];
  return { path, query, fragment };
}

/** `url / name`: query and fragment go. @throws PythonError */
export function childUrl(url: Url, name: string): Url {
  if (name.startsWith('/')) throw valueError(`\`${name}\` begins with a slash: it cannot be appended to an address`);
  const path = pieces(url).path.replace(/\/$/, '');
  return new Url(`${path}/${quotePath(name)}`);
}

type Pair = readonly [name: string, value: Value];

/** `url % query`: parameters laid over those that there are. @throws PythonError */
export function updatedQuery(url: Url, given: Value): Url {
  const { path, query, fragment } = pieces(url);
  const tail = fragment === '' ? '' : `#${fragment}`;
  const of = (pairs: readonly Pair[]): Url => {
    const text = pairs.map(([name, value]) => `${quoteQuery(name)}=${quoteQuery(parameter(value))}`).join('&');
    return new Url(`${path}${text === '' ? '' : `?${text}`}${tail}`);
  };
  if (given === null) return of([]);
  if (!truthy(given)) return url;
  const there = parsedQuery(query);
  if (given instanceof Dict) {
    const pairs = updated(
      there,
      [...given.entries()].map(([key, value]) => [parameterName(key), value]),
    );
    return of(
      pairs.flatMap(([name, value]) => (isList(value) ? value.map((one): Pair => [name, one]) : [[name, value]])),
    );
  }
  const text = tryText(given);
  if (text !== undefined) return of(updated(there, parsedQuery(text)));
  if (!isList(given)) throw typeError(`a query is a text, a mapping or a list of pairs, not ${typeName(given)}`);
  return of(updated(there, given.map(pairOf)));
}

function pairOf(item: Value): Pair {
  const [name, value, ...more] = [...iterate(item)];
  if (name === undefined || value === undefined || more.length > 0) throw valueError('a parameter is a pair');
  return [parameterName(name), value];
}

function parameterName(name: Value): string {
  if (tryText(name) === undefined) throw typeError(`the name of a parameter is a text, not ${typeName(name)}`);
  return str(name);
}

function parameter(value: Value): string {
  if (tryText(value) !== undefined) return str(value);
  if (typeof value === 'bigint') return intText(value);
  if (typeof value === 'number' && Number.isFinite(value)) return floatText(value);
  if (typeof value === 'number') throw valueError(`${floatText(value)} cannot stand in a query`);
  throw typeError(`a parameter is a text or a number, not ${typeName(value)}`);
}

/** Names and values of `a=1&b`, decoded. */
function parsedQuery(query: string): readonly Pair[] {
  const decode = (text: string): string => decoder.decode(percentBytes(text.replaceAll('+', ' ')));
  return query.split('&').flatMap((piece): Pair[] => {
    if (piece === '') return [];
    const at = piece.indexOf('=');
    return at === -1 ? [[decode(piece), '']] : [[decode(piece.slice(0, at)), decode(piece.slice(at + 1))]];
  });
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

function percentBytes(text: string): Uint8Array {
  const bytes = encoder.encode(text);
  const out: number[] = [];
  for (let at = 0; at < bytes.length; at += 1) {
    const digits =
      bytes[at] === 0x25 ? /^[0-9a-fA-F]{2}$/.exec(String.fromCharCode(...bytes.subarray(at + 1, at + 3))) : null;
    out.push(digits === null ? (bytes[at] as number) : Number.parseInt(digits[0], 16));
    if (digits !== null) at += 2;
  }
  return Uint8Array.from(out);
}

/** New values take the places of old ones of the same name, in order; what is left of the old ones goes. */
function updated(there: readonly Pair[], fresh: readonly Pair[]): readonly Pair[] {
  const result: (Pair | undefined)[] = [...there];
  const used = new Map<string, number>();
  for (const pair of fresh) {
    const from = used.get(pair[0]) ?? 0;
    const at = result.findIndex((old, index) => index >= from && old?.[0] === pair[0]);
    const place = at === -1 ? result.length : at;
    result[place] = pair;
    used.set(pair[0], place + 1);
  }
  return result.filter(
    (pair, index): pair is Pair => pair !== undefined && index < (used.get(pair[0]) ?? result.length),
  );
}
