import type { Grains, Price } from './amounts.ts';

/** What a preset costs from a second on, until the next one of the list. */
export interface PriceFrom {
  /** Seconds since 1970. */
  readonly from: number;
  readonly price: Price;
}

/** Prices of one preset, the earliest first; before the first it is free. They are added to, and never changed. */
export type Prices = readonly PriceFrom[];

/** Seconds at one price. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly price: Price;
}

/** The price of one second. */
export function priceAt(prices: Prices, second: number): Price {
  return prices.findLast(({ from }) => from <= second)?.price ?? 0n;
}

/** The seconds from one to another, in pieces of one price each; without those that are free. */
export function stretches(prices: Prices, from: number, to: number): readonly Stretch[] {
  return prices.flatMap((current, index) => {
    const stretch = {
      from: Math.max(from, current.from),
      to: Math.min(to, prices[index + 1]?.from ?? Infinity),
      price: current.price,
    };
    return stretch.from < stretch.to && stretch.price > 0n ? [stretch] : [];
  });
}

/** What the seconds from one to another cost, each at its own price. */
export function costOf(prices: Prices, from: number, to: number): Grains {
  return stretches(prices, from, to).reduce((sum, part) => sum + part.price * BigInt(part.to - part.from), 0n);
}
