import { equal, isObject, type Json, type JsonObject, type Path } from '@delos/kube';
import { withoutMark } from './mark.ts';
import { parseQuantity } from './quantity.ts';

export interface Change {
  readonly path: Path;
  readonly kind: 'add' | 'delete' | 'update';
}

/** Differences between two objects, each at the deepest path that tells them apart. */
export function changes(before: Json | undefined, after: Json | undefined, path: Path = []): readonly Change[] {
  if (equal(before, after) || (isEmpty(before) && isEmpty(after))) return [];
  if (before === undefined) return [{ path, kind: 'add' }];
  if (after === undefined) return [{ path, kind: 'delete' }];
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => changes(before[key], after[key], [...path, key]));
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    return Array.from({ length }, (_, index) =>
      changes(before[index] as Json | undefined, after[index] as Json | undefined, [...path, index]),
    ).flat();
  }
  return [{ path, kind: 'update' }];
}

/** Absent, or an object or list of nothing: the server keeps no difference between them. */
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

/**
 * Inputs brought up to date with the live object: a field whose live value means the same keeps the form it was
 * written in, another takes the live value, one that is gone goes. Fields that the inputs do not name stay out.
 */
export function inputsFromLive(inputs: JsonObject, live: JsonObject): JsonObject {
  const merged = reconcile(inputs, live);
  return isObject(merged) ? merged : inputs;
}

function reconcile(input: Json, live: Json | undefined): Json | undefined {
  if (isObject(input)) {
    if (live === undefined) return isEmpty(input) || Object.values(input).every(isZero) ? input : undefined;
    if (!isObject(live)) return live;
    return Object.fromEntries(
      Object.entries(input).flatMap(([key, value]) => {
        const next = reconcile(value, live[key]);
        return next === undefined ? [] : [[key, next] as const];
      }),
    );
  }
  if (Array.isArray(input)) {
    if (live === undefined) return input.length === 0 ? input : undefined;
    if (!Array.isArray(live) || live.length !== input.length) return live;
    return input.map((item: Json, index) => reconcile(item, live[index] as Json | undefined) ?? item);
  }
  if (live === undefined) return isZero(input) ? input : undefined;
  return sameScalar(input, live) ? input : live;
}

/** Zero values are dropped by the server where they are the default. */
function isZero(value: Json): boolean {
  return value === 0 || value === '' || value === false || value === null || isEmpty(value);
}

function sameScalar(input: Json, live: Json): boolean {
  if (equal(input, live)) return true;
  if (isObject(live) || Array.isArray(live)) return false;
  if (String(input) === String(live)) return true;
  const wanted = parseQuantity(input);
  return wanted !== undefined && wanted === parseQuantity(live);
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
