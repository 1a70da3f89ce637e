/** `p50` and `p95` by nearest rank: the least of the values that so many percent of them do not exceed, so always one of them. */
export interface Summary {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/**
 * All zero where there are no values. Nearest rank is definition 1 of Hyndman and Fan, "Sample Quantiles in Statistical
 * Packages", The American Statistician 50(4), 1996.
 */
export function summary(values: readonly number[]): Summary {
  if (values.length === 0) return { mean: 0, p50: 0, p95: 0, max: 0 };
  const order = values.toSorted((a, b) => a - b);
  // In whole percent, so that no rounding of a fraction shifts the rank.
  const at = (percent: number): number => order[Math.max(1, Math.ceil((percent * order.length) / 100)) - 1] as number;
  return {
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    p50: at(50),
    p95: at(95),
    max: at(100),
  };
}
