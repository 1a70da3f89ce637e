import type { Block, Field } from '../file/block.ts';
import type { Expr } from '../file/expr.ts';
import { keysOfBlock } from '../file/schema.ts';
import { attempt, Refused } from './outcome.ts';

/** Lists and mappings of several blocks, first one first; a value of an earlier mapping wins. */
export interface Merged {
  readonly kind: 'merged';
  readonly of: 'list' | 'map';
  readonly fields: readonly Field[];
}
export type MergedField = Field | Merged;

/** A block with keys of others laid under it. */
export interface Layered extends Omit<Block, 'fields'> {
  readonly fields: Readonly<Record<string, MergedField>>;
}

/** Lays `under` below a block: what the block lacks comes from there, lists and mappings add up. */
export function layered(over: Layered, under: Layered): Layered {
  const fields: Record<string, MergedField> = { ...over.fields };
  const present = new Set(over.present);
  const known = keysOfBlock(over.name);
  for (const name of under.present) {
    if (name === 'mixins' || !Object.hasOwn(known, name)) continue;
    const lower = under.fields[name];
    const upper = over.fields[name];
    const collection = collectionOf(lower);
    if (!over.present.has(name) || (upper === undefined && collection !== undefined)) {
      if (lower !== undefined) fields[name] = lower;
      present.add(name);
    } else if (collection !== undefined && lower !== undefined && upper !== undefined) {
      fields[name] = { kind: 'merged', of: collection, fields: [...partsOf(upper), ...partsOf(lower)] };
    }
  }
  return { ...over, fields, present };
}

const partsOf = (field: MergedField): readonly Field[] => (field.kind === 'merged' ? field.fields : [field]);

function collectionOf(field: MergedField | undefined): 'list' | 'map' | undefined {
  if (field?.kind === 'list' || field?.kind === 'map') return field.kind;
  return field?.kind === 'whole' || field?.kind === 'merged' ? field.of : undefined;
}

/** A block with its mixins applied, from the last to the first. @throws Refused */
export function withMixins(base: Layered, mixins: ReadonlyMap<string, Layered>): Layered {
  let result = base;
  for (const { name, expr } of mixinNames(base).toReversed()) {
    const mixin = mixins.get(name);
    if (mixin === undefined) {
      base.report.add(
        'FLOW_MIXIN',
        expr,
        `there is no mixin \`${name}\``,
        `there are: ${[...mixins.keys()].join(', ') || 'none'}`,
      );
      throw new Refused();
    }
    result = layered(result, mixin);
  }
  return result;
}

export function mixinNames(block: Layered): readonly { readonly name: string; readonly expr: Expr }[] {
  const field = block.fields.mixins;
  if (field?.kind !== 'list') return [];
  return field.items.flatMap((expr) => {
    if (expr.parts === undefined) return [{ name: String(expr.constant), expr }];
    expr.report.add('FLOW_TEMPLATE', expr, 'the name of a mixin cannot depend on anything', 'write the name itself');
    return [];
  });
}

/** Mixins with those that they name applied to them. @throws Refused */
export function resolveMixins(raw: ReadonlyMap<string, Block>): ReadonlyMap<string, Layered> {
  const done = new Map<string, Layered>();
  const open: string[] = [];
  const resolve = (name: string): void => {
    const block = raw.get(name);
    if (block === undefined || done.has(name)) return;
    if (open.includes(name)) {
      const circle = [...open.slice(open.indexOf(name)), name].join(' → ');
      block.report.add('FLOW_CYCLE', block.key ?? block, `mixins name each other in a circle: ${circle}`);
      throw new Refused();
    }
    open.push(name);
    for (const { name: other } of mixinNames(block)) resolve(other);
    open.pop();
    done.set(name, withMixins(block, done));
  };
  let failed = false;
  for (const name of raw.keys()) failed = attempt(() => resolve(name)) === undefined || failed;
  if (failed) throw new Refused();
  return done;
}
