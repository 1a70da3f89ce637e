import { equal, isObject, type Json, type JsonObject, type Path } from '@delos/kube';
import { ANY, type FieldType } from '../kube/schema.ts';
import { withoutMark } from './mark.ts';
import { sameScalar } from './scalar.ts';

export interface Change {
  readonly path: Path;
  readonly kind: 'add' | 'delete' | 'update';
}

/**
 * Differences between two objects, each at the deepest path that tells them apart. The type says which ways of writing
 * a value mean the same; without one every difference counts.
 */
export function changes(
  before: Json | undefined,
  after: Json | undefined,
  type: FieldType = ANY,
  path: Path = [],
): readonly Change[] {
  if (equal(before, after)) return [];
  if (type.emptyIsAbsent && isEmpty(before) && isEmpty(after)) return [];
  if (before === undefined) return [{ path, kind: 'add' }];
  if (after === undefined) return [{ path, kind: 'delete' }];
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => changes(before[key], after[key], type.member(key), [...path, key]));
  }
  if (Array.isArray(before) && Array.isArray(after)) return changesOfLists(before, after, type, path);
  return sameScalar(before, after, type.kind) ? [] : [{ path, kind: 'update' }];
}

function changesOfLists(
  before: readonly Json[],
  after: readonly Json[],
  type: FieldType,
  path: Path,
): readonly Change[] {
  const pairs = type.listType === 'map' ? pairsByKey(before, after, type) : undefined;
  if (pairs !== undefined) {
    const found = pairs.flatMap(([was, is]) =>
      changes(item(before, was), item(after, is), type.item, [...path, is ?? was ?? 0]),
    );
    return oneAPlace(found);
  }
  if (type.listType === 'set' && sameMembers(before, after)) return [];
  const length = Math.max(before.length, after.length);
  return Array.from({ length }, (_, index) =>
    changes(item(before, index), item(after, index), type.item, [...path, index]),
  ).flat();
}

/** An item that came where another went is a changed one. */
function oneAPlace(found: readonly Change[]): readonly Change[] {
  const byPlace = new Map<string, Change>();
  for (const change of found) {
    const place = JSON.stringify(change.path);
    byPlace.set(place, byPlace.has(place) ? { path: change.path, kind: 'update' } : change);
  }
  return [...byPlace.values()];
}

const item = (list: readonly Json[], index: number | undefined): Json | undefined =>
  index === undefined ? undefined : list[index];

const sameMembers = (a: readonly Json[], b: readonly Json[]): boolean =>
  a.length === b.length && a.every((value) => b.some((other) => equal(value, other)));

/** Indices of items of one key, before and after. Undefined where a key is missing, twice, or the order has changed. */
function pairsByKey(
  before: readonly Json[],
  after: readonly Json[],
  type: FieldType,
): readonly (readonly [number | undefined, number | undefined])[] | undefined {
  const was = before.map((value) => type.keyOf(value));
  const is = after.map((value) => type.keyOf(value));
  for (const keys of [was, is]) {
    if (keys.includes(undefined) || new Set(keys).size !== keys.length) return undefined;
  }
  const kept = was.filter((key) => is.includes(key));
  if (!equal(kept as string[], is.filter((key) => was.includes(key)) as string[])) return undefined;
  const indexIn = (keys: readonly (string | undefined)[], key: string | undefined): number | undefined => {
    const index = keys.indexOf(key);
    return index === -1 ? undefined : index;
  };
  return [...new Set([...was, ...is])].map((key) => [indexIn(was, key), indexIn(is, key)] as const);
}

/** Absent, or an object or list of nothing. */
function isEmpty(value: Json | undefined): boolean {
  return value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}

/** A live object without what changes by itself and what the provider alone writes. */
export function comparable(live: JsonObject): JsonObject {
  const { status, metadata, ...rest } = withoutMark(live);
  const { managedFields, resourceVersion, generation, uid, creationTimestamp, selfLink, ...kept } = isObject(metadata)
    ? metadata
    : {};
  return { ...rest, metadata: kept };
}

/** A path as the engine shows it: `spec.containers[0].image`, `metadata.labels["app.kubernetes.io/name"]`. */
export function renderPath(path: Path): string {
  return path
    .map((key, index) => {
      if (typeof key === 'number') return `[${key}]`;
      if (!/^[A-Za-z_$][\w$]*$/.test(key)) return `[${JSON.stringify(key)}]`;
      return index === 0 ? key : `.${key}`;
    })
    .join('');
}
