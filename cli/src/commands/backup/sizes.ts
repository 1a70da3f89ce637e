import { DelosError, parseQuantity, quantityNumber } from '@delos/core';

/** Bytes as people read them. */
export const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

export const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** Bytes of a quantity. @throws DelosError ERR_USAGE */
export function bytesOf(text: string): number {
  const amount = parseQuantity(text);
  if (amount !== undefined && amount > 0n) return quantityNumber(amount);
  throw new DelosError('ERR_USAGE', `${JSON.stringify(text)} is no size`, { hint: 'expected one such as 500Gi' });
}
