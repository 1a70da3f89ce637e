import { equal, isObject, type Json, type JsonObject, type Path } from '@delos/kube';
import { ANY, type FieldType } from '../kube/schema.ts';
import { sameScalar } from './scalar.ts';

export interface Reconciled {
  readonly inputs: JsonObject;
  /**
   * Fields that the inputs set to zero, false or nothing, and that the live object does not have. Either the server
   * never stores such a value in this field, or somebody took it away: only the server can tell.
   */
  readonly doubts: readonly Path[];
}

/**
 * Inputs brought up to date with the live object: a field whose live value means the same keeps the form it was
 * written in, another takes the live value, one that is gone goes. Fields that the inputs do not name stay out.
 * @param isDropped whether the server stores nothing for the input at a path. @default it does so for every doubt
 */
export function inputsFromLive(
  inputs: JsonObject,
  live: JsonObject,
  type: FieldType = ANY,
  isDropped: (path: Path) => boolean = () => true,
): Reconciled {
  const doubts: Path[] = [];
  const absent = (value: Json, of: FieldType, path: Path): Json | undefined => {
    if (!isZero(value)) return undefined;
    if (of.emptyIsAbsent && isEmpty(value)) return value;
    doubts.push(path);
    return isDropped(path) ? value : undefined;
  };
  const walk = (input: Json, now: Json | undefined, of: FieldType, path: Path): Json | undefined => {
    if (equal(input, now)) return input;
    if (now === undefined) return absent(input, of, path);
    if (isObject(input) && isObject(now)) {
      return Object.fromEntries(
        Object.entries(input).flatMap(([key, value]) => {
          const next = walk(value, now[key], of.member(key), [...path, key]);
          return next === undefined ? [] : [[key, next] as const];
        }),
      );
    }
    if (Array.isArray(input) && Array.isArray(now)) return walkList(input, now, of, path);
    return sameScalar(input, now, of.kind) ? input : now;
  };
  const walkList = (input: readonly Json[], now: readonly Json[], of: FieldType, path: Path): Json => {
    // In these two kinds of lists others may have items of their own, which stay out.
    if (of.listType === 'set') return input.filter((value) => now.some((other) => equal(value, other)));
    if (of.listType === 'map' && input.every((value) => of.keyOf(value) !== undefined)) {
      const byKey = new Map(now.map((value) => [of.keyOf(value), value] as const));
      return input.flatMap((value, index) => {
        const other = byKey.get(of.keyOf(value));
        if (other === undefined) return [];
        return [walk(value, other, of.item, [...path, index]) ?? value];
      });
    }
    if (now.length !== input.length) return now;
    return input.map((value, index) => walk(value, now[index], of.item, [...path, index]) ?? value);
  };
  const merged = walk(inputs, live, type, []);
  return { inputs: isObject(merged) ? merged : inputs, doubts };
}

function isEmpty(value: Json): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** A value that some fields cannot tell from none. */
function isZero(value: Json): boolean {
  if (isObject(value)) return Object.values(value).every(isZero);
  return value === 0 || value === '' || value === false || value === null || isEmpty(value);
}
