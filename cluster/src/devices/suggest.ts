import { stringify } from 'yaml';
import type { NodeDevices, NodeGpus } from './devices.ts';

const GIB = 2 ** 30;
/** Of a node's memory: the rest is for the node itself and for what runs on every node. */
const FOR_JOBS = 0.9;

interface Gpus {
  readonly count: number;
  readonly model?: string;
  readonly memory?: string;
}

/** Entries of `nodePools` in delos.yaml. */
export interface SuggestedPool extends Readonly<Partial<Record<NodeGpus['field'], Gpus>>> {
  readonly name: string;
  readonly minSize: number;
  readonly maxSize: number;
}

/** Entries of `presets` in delos.yaml. */
export interface SuggestedPreset extends Readonly<Partial<Record<NodeGpus['field'], Gpus>>> {
  readonly name: string;
  readonly cpu: number;
  readonly memory: string;
  readonly pools: readonly string[];
}

export interface Suggestion {
  readonly nodePools: readonly SuggestedPool[];
  readonly presets: readonly SuggestedPreset[];
}

/**
 * Pools for nodes that no pool is like, one for all that have the same devices, and presets for them: one device, and
 * the whole node.
 * @param taken names of pools and presets that there are
 */
export function suggest(nodes: readonly NodeDevices[], taken: readonly string[]): Suggestion {
  const alike = Map.groupBy(nodes, ({ gpus }) => JSON.stringify(gpus));
  const names = new Set(taken);
  const nodePools: SuggestedPool[] = [];
  const presets: SuggestedPreset[] = [];
  for (const group of alike.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const pool = unused(nameOf(first), names);
    const size = group.length;
    nodePools.push({ name: pool, minSize: size, maxSize: size, ...fields(first.gpus, (count) => count) });
    // What the smallest of them can hold.
    const cores = Math.min(...group.map((node) => node.cores));
    const memory = FOR_JOBS * Math.min(...group.map((node) => node.memory));
    // A job has devices of one vendor.
    for (const gpus of first.gpus.length === 0 ? [undefined] : first.gpus) {
      for (const { parts, count } of partsOf(gpus)) {
        presets.push({
          name: unused(`${pool}-x${count || 1}`, names),
          cpu: Math.max(0.1, Math.floor((cores * 10) / parts) / 10 - (parts === 1 ? 0.5 : 0)),
          memory: `${Math.max(1, Math.floor(memory / parts / GIB))}Gi`,
          ...(gpus === undefined ? {} : fields([gpus], () => count)),
          pools: [pool],
        });
      }
    }
  }
  return { nodePools, presets };
}

/** As delos.yaml has it. */
export const suggestionText = (suggestion: Suggestion): string => stringify(suggestion).trimEnd();

/** Into how many parts a node is divided, and how many devices a part has. */
function partsOf(gpus: NodeGpus | undefined): readonly { readonly parts: number; readonly count: number }[] {
  if (gpus === undefined) return [{ parts: 4, count: 0 }];
  const whole = { parts: 1, count: gpus.count };
  return gpus.count === 1 ? [whole] : [{ parts: gpus.count, count: 1 }, whole];
}

function fields(gpus: readonly NodeGpus[], count: (all: number) => number) {
  return Object.fromEntries(
    gpus.map(({ field, count: all, model, memory }) => [
      field,
      {
        count: count(all),
        ...(model === undefined ? {} : { model }),
        ...(memory === undefined ? {} : { memory: `${Math.round(memory / GIB)}Gi` }),
      },
    ]),
  );
}

function nameOf({ gpus }: NodeDevices): string {
  const [main] = gpus;
  if (main === undefined) return 'cpu';
  const model = (main.model ?? main.field.replace('Gpu', '')).toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return `${model.slice(0, 40)}-${main.count}`.replace(/^-+|-+(?=-)|-+$/g, '');
}

function unused(name: string, names: Set<string>): string {
  let free = name;
  for (let more = 2; names.has(free); more++) free = `${name}-${more}`;
  names.add(free);
  return free;
}
