import { plainValue } from '../python/plain.ts';
import type { ExpandedTask } from './expanded-task.ts';
import type { Known } from './outcome.ts';
import { Residual } from './residual.ts';

/** A task as `delos flow expand --json` prints it. Times are in seconds. */
export interface TaskDocument {
  readonly id: string;
  readonly kind: ExpandedTask['kind'];
  readonly needs: Readonly<Record<string, string>>;
  readonly enable: unknown;
  /** Values of the row of the matrix. */
  readonly strategy: unknown;
  readonly cache_key: string | null;
  readonly cache_key_reason: string | null;
  readonly [field: string]: unknown;
}

export function taskDocument(task: ExpandedTask): TaskDocument {
  const { id, kind, needs, enable, matrix, fields, inputs, cacheKey, cacheKeyReason } = task;
  const { env, ...rest } = fields;
  return {
    id,
    kind,
    needs,
    ...Object.fromEntries(
      Object.entries(rest).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.map(known) : known(value as Known),
      ]),
    ),
    ...(env === undefined ? {} : { env: record(env) }),
    ...(inputs === undefined ? {} : { inputs: record(inputs) }),
    enable: known(enable),
    strategy: plainValue(matrix),
    cache_key: cacheKey,
    cache_key_reason: cacheKeyReason,
  };
}

const known = (value: Known): unknown => (value instanceof Residual ? value.toJSON() : plainValue(value));

const record = (map: ReadonlyMap<string, Known>): unknown =>
  Object.fromEntries([...map].map(([name, value]) => [name, known(value)]));
