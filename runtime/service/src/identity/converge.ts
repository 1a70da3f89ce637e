/** Plain data of Keycloak's representations. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/**
 * True where `actual` has all that `desired` says; what `desired` does not name is nobody's concern. Lists are sets,
 * since Keycloak keeps no order. Numbers and booleans equal their texts: attributes come back as text.
 */
export function holds(actual: unknown, desired: Json | undefined): boolean {
  if (desired === undefined) return true;
  if (desired === null) return actual === null || actual === undefined;
  if (Array.isArray(desired)) {
    return (
      Array.isArray(actual) &&
      actual.length === desired.length &&
      desired.every((item: Json) => actual.some((other) => holds(other, item)))
    );
  }
  if (typeof desired === 'object') {
    if (typeof actual !== 'object' || actual === null) return false;
    const fields = actual as Readonly<Record<string, unknown>>;
    return Object.entries(desired).every(([key, value]) => holds(fields[key], value));
  }
  return actual !== undefined && String(actual) === String(desired);
}

/** `actual` with all that `desired` says; objects are merged, everything else replaced. */
export function merged(actual: Readonly<Record<string, unknown>>, desired: Readonly<Record<string, Json | undefined>>) {
  const result: Record<string, unknown> = { ...actual };
  for (const [key, value] of Object.entries(desired)) {
    const old = result[key];
    if (isRecord(value) && isRecord(old))
      result[key] = merged(old, value as Readonly<Record<string, Json | undefined>>);
    else if (value !== undefined) result[key] = value;
  }
  return result;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
