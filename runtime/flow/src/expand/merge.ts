import { type Block, entriesOf, type Field, refusedIn } from '../file/block.ts';
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
  return { ...over, fields, present, refused: new Map([...under.refused, ...over.refused]) };
}

const partsOf = (field: MergedField): readonly Field[] => (field.kind === 'merged' ? field.fields : [field]);

function collectionOf(field: MergedField | undefined): 'list' | 'map' | undefined {
  if (field?.kind === 'list' || field?.kind === 'map') return field.kind;
  return field?.kind === 'whole' || field?.kind === 'merged' ? field.of : undefined;
}

/** Mixins by name. */
export interface Mixins {
  readonly table: ReadonlyMap<string, Layered>;
  /** Names of those that were refused; undefined: others may have been there too. */
  readonly refused: ReadonlySet<string> | undefined;
}
export const NO_MIXINS: Mixins = { table: new Map(), refused: new Set() };

/** A block with its mixins applied, from the last to the first. @throws Refused */
export function withMixins(base: Layered, mixins: Mixins): Layered {
  const { names, torso } = mixinNames(base);
  let result = torso ? withGap(base) : base;
  for (const { name, expr } of names.toReversed()) {
    const mixin = mixins.table.get(name);
    if (mixin !== undefined) result = layered(result, mixin);
    else if (mixins.refused?.has(name) !== false) result = withGap(result);
    else {
      const known = [...mixins.table.keys()].join(', ') || 'none';
      base.report.add('FLOW_MIXIN', expr, `there is no mixin \`${name}\``, `there are: ${known}`);
      throw new Refused();
    }
  }
  return result;
}

/** A mixin that was refused may have given the image. */
const withGap = (block: Layered): Layered => ({ ...block, refused: new Map([...block.refused, ['image', '']]) });

interface MixinNames {
  readonly names: readonly { readonly name: string; readonly expr: Expr }[];
  /** Whether some were refused. */
  readonly torso: boolean;
}

export function mixinNames(block: Layered): MixinNames {
  const field = block.fields.mixins;
  if (field?.kind !== 'list') return { names: [], torso: block.refused.has('mixins') };
  const names = field.items.flatMap((expr) => {
    if (expr.parts === undefined) return [{ name: String(expr.constant), expr }];
    expr.report.add('FLOW_TEMPLATE', expr, 'the name of a mixin cannot depend on anything', 'write the name itself');
    return [];
  });
  return { names, torso: field.torso || names.length < field.items.length };
}

/** Mixins of a project and a flow, with those that they name applied to them. */
export function resolveMixins(blocks: readonly (Block | undefined)[]): Mixins {
  const raw = new Map(blocks.flatMap((block) => [...entriesOf(block, 'mixins')]));
  const sets = blocks.map((block) => refusedIn(block, 'mixins'));
  const refused = new Set(sets.flatMap((names) => [...(names ?? [])]));
  const done = new Map<string, Layered>();
  const open: string[] = [];
  const resolve = (name: string): void => {
    const block = raw.get(name);
    if (block === undefined || done.has(name) || refused.has(name)) return;
    if (open.includes(name)) {
      const circle = [...open.slice(open.indexOf(name)), name].join(' → ');
      block.report.add('FLOW_CYCLE', block.key ?? block, `mixins name each other in a circle: ${circle}`);
      throw new Refused();
    }
    open.push(name);
    const made = attempt(() => {
      for (const { name: other } of mixinNames(block).names) resolve(other);
      return withMixins(block, { table: done, refused });
    });
    open.pop();
    if (made === undefined) {
      refused.add(name);
      throw new Refused();
    }
    done.set(name, made.value);
  };
  for (const name of raw.keys()) attempt(() => resolve(name));
  return { table: done, refused: sets.includes(undefined) ? undefined : refused };
}
