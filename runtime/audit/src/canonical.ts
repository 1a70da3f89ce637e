/** What a record is made of: no fractions, whose text two programs may write in two ways. */
export type Canonical = string | number | boolean | null | readonly Canonical[] | { readonly [key: string]: Canonical };

/**
 * One text for one value, as RFC 8785 (JSON Canonicalization Scheme) writes it: keys in the order of their UTF-16 code units, no
 * blanks. Of numbers it takes whole ones alone.
 * @throws RangeError for a number that is not whole, or too large to be exact
 */
export function canonicalText(value: Canonical): string {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new RangeError(`expected a whole number below 2^53, got ${value}`);
  }
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalText).join(',')}]`;
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalText(member)}`);
  return `{${members.join(',')}}`;
}

const isList = (value: object): value is readonly Canonical[] => Array.isArray(value);
