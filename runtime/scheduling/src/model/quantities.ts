/*
 * Amounts that quotas, guarantees and shares are counted in. All are integers, so that sums are exact: milli-CPU, MiB
 * (or whole bytes as their binary fraction), milli-GPU (1000 = one device), milli-credits an hour.
 */

/** Order of the entries of every dense vector of amounts. */
export const DIMENSIONS = ['jobs', 'milliCpu', 'memoryMiB', 'milliGpu', 'milliCreditsPerHour'] as const;
export type Dimension = (typeof DIMENSIONS)[number];
/** Dimensions that a share of the cluster is measured in: what nodes have. */
export const SHARED_DIMENSIONS: readonly number[] = [1, 2, 3];

export type Amounts = { readonly [D in Dimension]?: number | undefined };

/** A dense vector, `missing` where nothing is said. */
export function vectorOf(amounts: Amounts, missing: number): Float64Array {
  return Float64Array.from(DIMENSIONS, (dimension) => amounts[dimension] ?? missing);
}

export function addTo(target: Float64Array, amounts: Float64Array, sign: 1 | -1): void {
  for (let d = 0; d < target.length; d += 1) target[d] = at(target, d) + sign * at(amounts, d);
}

/** An element that is known to be there. */
export function at(values: Float64Array | Int32Array | Uint8Array, index: number): number {
  return values[index] as number;
}

/** An amount as a person reads it, with its unit. */
export function showAmount(dimension: Dimension, amount: number): string {
  switch (dimension) {
    case 'jobs':
      return `${amount} ${amount === 1 ? 'job' : 'jobs'}`;
    case 'milliCpu':
      return `${amount / 1000} ${amount === 1000 ? 'core' : 'cores'}`;
    case 'memoryMiB':
      return amount < 1024 ? `${Math.round(amount)} MiB` : `${Number((amount / 1024).toFixed(1))} GiB`;
    case 'milliGpu':
      return `${amount / 1000} ${amount === 1000 ? 'GPU' : 'GPUs'}`;
    case 'milliCreditsPerHour':
      return `${amount / 1000} credits an hour`;
  }
}
