import type { LaterShape } from '../../expr/later-shape.ts';
import { Layer, type Looked } from '../../expr/scope.ts';
import type { Value } from '../../python/value.ts';
import { LATER_SHAPES } from '../later-shapes.ts';
import type { FieldScope } from '../outcome.ts';
import { volumeOfReference } from './place.ts';
import type { World } from './world.ts';

/** Contexts by their names. */
export type Contexts = Readonly<Record<string, Value>>;

/** Contexts to lay over a scope: values, names to wait for, and the keys that those will have. */
export interface Overlay {
  readonly values: Contexts;
  readonly later?: readonly string[];
  readonly keys?: Readonly<Record<string, ReadonlySet<string> | undefined>>;
}

/** The scope that knows no context. `jobs`: running jobs can be asked for. */
export function groundScope(world: World, { jobs = false }: { readonly jobs?: boolean } = {}): FieldScope {
  const { place, workspace } = world;
  const outside = {
    ...(jobs ? { jobs } : {}),
    parseVolume: (text: string) => volumeOfReference(text, place),
    ...(workspace.hashFiles === undefined ? {} : { hashFiles: workspace.hashFiles }),
  };
  return { place, scope: new Layer(new Map(), undefined, outside) };
}

/** A scope with contexts laid over it. What was found in the scope below need not hold in it. */
export function over(at: FieldScope, { values, later = [], keys = {} }: Overlay): FieldScope {
  const names = new Map<string, NonNullable<Looked>>();
  for (const name in values) names.set(name, { value: values[name] as Value });
  for (const name of later) {
    const shape = shapeOf(name, keys[name]);
    names.set(name, shape === undefined ? { waits: name } : { waits: name, shape });
  }
  return { place: at.place, scope: new Layer(names, at.scope) };
}

function shapeOf(name: string, keys: ReadonlySet<string> | undefined): LaterShape | undefined {
  const shape = Object.hasOwn(LATER_SHAPES, name) ? LATER_SHAPES[name] : undefined;
  return keys === undefined || shape?.is !== 'mapping' ? shape : { ...shape, keys };
}

/** Contexts; those that are not there are waited for. */
export function named(contexts: Readonly<Record<string, Value | undefined>>): Overlay {
  const values: Record<string, Value> = {};
  const later: string[] = [];
  for (const [name, value] of Object.entries(contexts)) {
    if (value === undefined) later.push(name);
    else values[name] = value;
  }
  return { values, later };
}
