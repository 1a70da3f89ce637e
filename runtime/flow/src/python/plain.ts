import { str } from './text.ts';
import { Always, Dict, isList, Later, Moment, Path, PySet, Status, Struct, Url, type Value } from './value.ts';

/** A value as JSON has it; whole numbers beyond 2^53 and what is not finite become text. */
export function plainValue(value: Value): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (typeof value === 'number') return Number.isFinite(value) ? value : str(value);
  if (isList(value)) return value.map(plainValue);
  if (value instanceof Dict)
    return Object.fromEntries([...value.entries()].map(([key, item]) => [str(key), plainValue(item)]));
  if (value instanceof PySet) return value.items.map(plainValue);
  if (value instanceof Struct)
    return Object.fromEntries(Object.entries(value.fields).map(([name, item]) => [name, plainValue(item)]));
  if (value instanceof Status) return value.value;
  if (value instanceof Path || value instanceof Url || value instanceof Moment) return value.text;
  if (value instanceof Always) return 'always()';
  return value instanceof Later ? null : value;
}
