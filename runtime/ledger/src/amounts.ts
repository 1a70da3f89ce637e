/**
 * An amount of credits, whole and exact. One grain is what a second costs at a price of a billionth of a credit an hour, so
 * whatever is charged by the second at such a price is a whole number of grains, and nothing is ever rounded in the books.
 */
export type Grains = bigint;

/** A price: billionths of a credit an hour, which is grains a second. */
export type Price = bigint;

export const GRAINS_PER_CREDIT: Grains = 3_600_000_000_000n;
const NANO = 1_000_000_000n;
const SECONDS_PER_HOUR = 3_600n;

/** As `delos.yaml` writes prices and amounts: at most 12 digits, and 9 after the point. */
const DECIMAL = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?$/;

/** @throws RangeError where the text is no decimal number with at most 9 digits after the point, or is negative */
export function priceOf(text: string): Price {
  const nano = nanoOf(text);
  if (nano < 0n) throw new RangeError(`expected a price that is not negative, got ${JSON.stringify(text)}`);
  return nano;
}

/** Grains of an amount in credits. @throws RangeError where the text is no decimal number with at most 9 digits after the point */
export function grainsOf(credits: string): Grains {
  return nanoOf(credits) * SECONDS_PER_HOUR;
}

function nanoOf(text: string): bigint {
  const [, sign, whole, part = ''] = DECIMAL.exec(text) ?? [];
  if (whole === undefined) {
    throw new RangeError(
      `expected a decimal number of at most 12 digits, and 9 after the point, got ${JSON.stringify(text)}`,
    );
  }
  const nano = BigInt(whole) * NANO + BigInt(part.padEnd(9, '0'));
  return sign === '-' ? -nano : nano;
}

/** A price as `delos.yaml` writes it. */
export function priceText(price: Price): string {
  const part = String(price % NANO).padStart(9, '0');
  return `${price / NANO}.${part}`.replace(/\.?0+$/, '');
}

/**
 * Credits for people: rounded to the nearest, halves away from zero.
 * @param decimals digits after the point, from 0 to 12
 */
export function creditsText(grains: Grains, decimals = 4): string {
  const scale = 10n ** BigInt(decimals);
  const size = grains < 0n ? -grains : grains;
  const rounded = (size * scale * 2n + GRAINS_PER_CREDIT) / (GRAINS_PER_CREDIT * 2n);
  const digits = String(rounded).padStart(decimals + 1, '0');
  const text = decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
  return grains < 0n && rounded > 0n ? `-${text}` : text;
}
