import { parseQuantity } from '@delos/core';
import { equal, isObject, type Json } from '@delos/kube';
import type { ValueKind } from '../kube/schema.ts';

/** True where two ways of writing a single value mean the same to a field of that kind. Text is never a number. */
export function sameScalar(a: Json, b: Json, kind: ValueKind): boolean {
  if (equal(a, b)) return true;
  const form = normalForm[kind];
  if (form === undefined || isObject(a) || isObject(b) || Array.isArray(a) || Array.isArray(b)) return false;
  const wanted = form(a);
  return wanted !== undefined && wanted === form(b);
}

const normalForm: Partial<Readonly<Record<ValueKind, (value: Json) => bigint | number | string | undefined>>> = {
  quantity: (value) => (typeof value === 'string' || typeof value === 'number' ? parseQuantity(value) : undefined),
  time: (value) => {
    const instant = Date.parse(String(value));
    return Number.isNaN(instant) ? undefined : instant;
  },
  bytes: (value) => Buffer.from(String(value), 'base64').toString('base64'),
};
