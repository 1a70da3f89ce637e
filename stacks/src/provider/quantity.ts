import type { Json } from '@delos/kube';

const EXPONENT: Readonly<Record<string, number>> = {
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
const BINARY: Readonly<Record<string, bigint>> = {
  Ki: 2n ** 10n,
  Mi: 2n ** 20n,
  Gi: 2n ** 30n,
  Ti: 2n ** 40n,
  Pi: 2n ** 50n,
  Ei: 2n ** 60n,
};

/** A Kubernetes resource quantity in thousand-millionths, undefined for what is none. Equal amounts give equal results. */
export function parseQuantity(value: Json): bigint | undefined {
  const match = /^([+-]?)(\d+)(?:\.(\d{0,9}))?(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE]([+-]?\d{1,2}))?$/.exec(String(value));
  if (match === null) return undefined;
  const [, sign, whole = '0', fraction = '', suffix = '', exponent] = match;
  const nano = BigInt(whole) * 10n ** 9n + BigInt(fraction.padEnd(9, '0'));
  const binary = BINARY[suffix];
  const scaled =
    binary !== undefined
      ? nano * binary
      : shift(nano, exponent === undefined ? (EXPONENT[suffix] ?? 0) : Number(exponent));
  return sign === '-' ? -scaled : scaled;
}

function shift(value: bigint, exponent: number): bigint {
  return exponent >= 0 ? value * 10n ** BigInt(exponent) : value / 10n ** BigInt(-exponent);
}
