import type { Value } from '../python/value.ts';
import type { YamlNode } from '../yaml/node.ts';
import { type BlockName, keysOfBlock, type Shape } from './schema.ts';

/** Python's isinstance: True is an int too, but no int is a float. */
export function hasType(value: Value, type: string): boolean {
  switch (type) {
    case 'int':
      return typeof value === 'bigint' || typeof value === 'boolean';
    case 'float':
      return typeof value === 'number';
    case 'bool':
      return typeof value === 'boolean';
    default:
      return typeof value === 'string';
  }
}

export function variantOf(node: YamlNode): 'module' | 'action' | 'plain' {
  const has = (name: string): boolean =>
    node.kind === 'mapping' && node.entries.some(([key]) => key.kind === 'scalar' && key.value === name);
  return has('module') ? 'module' : has('action') ? 'action' : 'plain';
}

const PLACES: readonly (readonly [BlockName, string])[] = [
  ['task', 'a task'],
  ['job', 'a job'],
  ['batchFlow', 'the top level of a batch flow'],
  ['liveFlow', 'the top level of a live flow'],
  ['batchDefaults', '`defaults`'],
  ['strategy', '`strategy`'],
  ['image', 'an image'],
  ['volume', 'a volume'],
  ['statefulAction', 'a stateful action'],
  ['taskActionCall', 'a call of an action'],
];

export function placeOf(key: string): string | undefined {
  return PLACES.find(([name]) => Object.hasOwn(keysOfBlock(name), key))?.[1];
}

export function inWords(shape: Shape): string {
  switch (shape.is) {
    case 'tasks':
      return 'a list of tasks';
    case 'blocks':
    case 'params':
      return 'names, each with keys and values';
    case 'matrix':
      return 'names with lists of values';
    case 'choice':
      return `one of ${shape.values.join(', ')}`;
    case 'block':
    case 'map':
      return 'keys and values';
    case 'list':
      return 'a list';
    default:
      return 'a value';
  }
}
