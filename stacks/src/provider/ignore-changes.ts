import { at, isObject, type Json, type JsonObject, type Path, withAt } from '@delos/kube';

/*
 * The resource option `ignoreChanges`: the engine keeps the inputs as they were at those paths, but the cluster may have
 * moved on since (an autoscaler's replicas). What is sent to the cluster has the live value there.
 */

/** `spec.containers[0].image`, `metadata.annotations["a.b"]`, `spec.containers[*].image` as keys; `*` is any. */
export function parsePropertyPath(text: string): Path {
  const parts = text.matchAll(/\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|\[(\*)\]|([^.[\]]+)/g);
  return [...parts].map(([, index, quoted, any, name]) =>
    index !== undefined ? Number(index) : (quoted?.replaceAll(/\\(.)/g, '$1') ?? any ?? name ?? ''),
  );
}

/** The inputs with the live values at the ignored paths; what is not there in the cluster stays as it is. */
export function withLiveValues(inputs: JsonObject, live: JsonObject, ignored: readonly string[]): JsonObject {
  let result: Json = inputs;
  for (const path of ignored.flatMap((text) => places(inputs, parsePropertyPath(text)))) {
    const now = at(live, ...path);
    if (now !== undefined) result = withAt(result, path, now);
  }
  return isObject(result) ? result : inputs;
}

/** The paths that a pattern means: each `*` is every key or index that is there. */
function places(value: Json | undefined, pattern: Path, before: Path = []): readonly Path[] {
  const [key, ...rest] = pattern;
  if (key === undefined) return [before];
  if (key !== '*') {
    const inner = at(value, key);
    return inner === undefined ? [] : places(inner, rest, [...before, key]);
  }
  const keys = Array.isArray(value) ? value.map((_, index) => index) : isObject(value) ? Object.keys(value) : [];
  return keys.flatMap((each) => places(at(value, each), rest, [...before, each]));
}
