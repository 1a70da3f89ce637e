import { parseQuantity, wholeUnits } from '@delos/core';
import { InvalidArgumentError } from 'commander';

/** @throws InvalidArgumentError */
export function positiveNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1');
  return Number(text);
}

/** @throws InvalidArgumentError */
export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}

/** @throws InvalidArgumentError */
export function sizeInBytes(text: string): number {
  const amount = parseQuantity(text);
  if (amount === undefined) throw new InvalidArgumentError('expected a size such as 512Mi or 1Gi');
  return Number(wholeUnits(amount));
}
