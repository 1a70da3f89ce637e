/*
 * Kubernetes quantities: a decimal number and a suffix. `100m` is a tenth, `2Ki` is 2048, `1e3` is a thousand, `1E` is a
 * trillion millions. The grammar is that of the API reference; amounts are exact.
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */

/** An exact amount in thousand-millionths of its unit, which is the finest that Kubernetes keeps. */
export type Nano = bigint;

export const NANO_PER_UNIT = 10n ** 9n;
const NANO_PER_MILLI = 10n ** 6n;

/** Powers of ten. */
const DECIMAL: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
/** Powers of two. */
const BINARY: Readonly<Record<string, bigint>> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };

const GRAMMAR = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d+|[numkMGTPE]?)$/;
/** Longer than any that a person or Kubernetes writes. */
const MOST_CHARACTERS = 256;
/** The largest amount that Kubernetes keeps; larger ones count as this. */
const MOST = (2n ** 63n - 1n) * NANO_PER_UNIT;
/** With a power of ten beyond these, any number of at most `MOST_CHARACTERS` digits is `MOST`, or next to nothing. */
const MOST_EXPONENT = 2 * MOST_CHARACTERS;

/**
 * The amount that a quantity stands for; undefined for a text that is no quantity. As in Kubernetes, an amount finer than
 * a thousand-millionth is rounded away from zero, and one beyond 2⁶³ − 1 is taken for that. Equal amounts are equal,
 * however they are written.
 */
export function parseQuantity(value: string | number): Nano | undefined {
  const text = String(value);
  if (text.length > MOST_CHARACTERS) return undefined;
  const match = GRAMMAR.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', fractionAlone = '', suffix = ''] = match;
  const decimals = fraction + fractionAlone;
  const digits = BigInt(whole + decimals);
  const binary = BINARY[suffix];
  const amount =
    binary === undefined
      ? scaled(digits, exponentOf(suffix) + 9 - decimals.length)
      : scaled(digits * 2n ** binary, 9 - decimals.length);
  const kept = amount > MOST ? MOST : amount;
  return sign === '-' ? -kept : kept;
}

function exponentOf(suffix: string): number {
  const named = DECIMAL[suffix];
  if (named !== undefined) return named;
  return Math.max(-MOST_EXPONENT, Math.min(MOST_EXPONENT, Number(suffix.slice(1))));
}

/** `digits` × 10^exponent, rounded up. */
function scaled(digits: bigint, exponent: number): bigint {
  return exponent >= 0 ? digits * 10n ** BigInt(exponent) : ceilDivide(digits, 10n ** BigInt(-exponent));
}

/** Division that rounds away from zero. */
function ceilDivide(amount: bigint, by: bigint): bigint {
  const rest = amount % by;
  return amount / by + (rest === 0n ? 0n : rest > 0n ? 1n : -1n);
}

/** Whole units, a part of one counting as one: bytes, devices. */
export function wholeUnits(amount: Nano): bigint {
  return ceilDivide(amount, NANO_PER_UNIT);
}

/** Whole thousandths, a part of one counting as one: what a scheduler counts cores in. */
export function wholeMilli(amount: Nano): bigint {
  return ceilDivide(amount, NANO_PER_MILLI);
}

/** The number nearest to an amount. */
export function quantityNumber(amount: Nano): number {
  return Number(amount / NANO_PER_UNIT) + Number(amount % NANO_PER_UNIT) / Number(NANO_PER_UNIT);
}

/** The number nearest to what a quantity stands for; 0 where there is none. */
export function quantityOr0(text: string | undefined): number {
  const amount = text === undefined ? undefined : parseQuantity(text);
  return amount === undefined ? 0 : quantityNumber(amount);
}

/** Bytes as a person writes them: the largest binary suffix that divides them. */
export function quantityOf(bytes: number): string | number {
  for (const [suffix, power] of Object.entries(BINARY).reverse()) {
    const unit = 2 ** Number(power);
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit}${suffix}`;
  }
  return bytes;
}
