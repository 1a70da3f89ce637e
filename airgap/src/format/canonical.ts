/*
 * Canonical JSON: RFC 8785 for values without fractions. Keys are sorted by UTF-16 code units, there is no space and no
 * newline, and texts are escaped as JSON.stringify escapes them. One value has one text, so that its digest is its name.
 */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/** @throws RangeError for a number that is no safe integer */
export function canonicalText(value: Json): string {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new RangeError(`${value} is no safe integer`);
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalText).join(',')}]`;
  const members = Object.keys(value)
    .toSorted()
    .flatMap((key) => {
      const member = value[key];
      return member === undefined ? [] : [`${JSON.stringify(key)}:${canonicalText(member)}`];
    });
  return `{${members.join(',')}}`;
}

export const canonicalBytes = (value: Json): Buffer => Buffer.from(canonicalText(value), 'utf8');

/**
 * The value of a canonical text. Undefined for bytes that are anything else: no JSON, a key that comes twice, a space too
 * many, a byte that is no UTF-8.
 */
export function parseCanonical(bytes: Buffer): Json | undefined {
  try {
    const value = JSON.parse(bytes.toString('utf8')) as Json;
    return canonicalBytes(value).equals(bytes) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isList = (value: object): value is readonly Json[] => Array.isArray(value);
