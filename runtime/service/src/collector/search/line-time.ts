/** A time of RFC 3339 as nanoseconds since 1970, in digits: more than a number holds. */
export function nanosecondsOf(time: string): string {
  const zone = /(Z|[+-]\d\d:\d\d)$/.exec(time)?.[1] ?? 'Z';
  const [whole = '', fraction = ''] = time.replace(/(Z|[+-]\d\d:\d\d)$/, '').split('.');
  return `${Math.floor(Date.parse(`${whole}${zone}`) / 1_000)}${fraction.padEnd(9, '0').slice(0, 9)}`;
}

export const isLater = (a: string, b: string): boolean => BigInt(nanosecondsOf(a)) > BigInt(nanosecondsOf(b));
