import { GPU_FIELDS, type PlatformConfig, POOL_LABEL } from '@delos/core';
import type { NodeDevices, NodeGpus } from './devices.ts';

type Pool = PlatformConfig['nodePools'][number];

/** What is to be done with one node. */
export interface NodePlan {
  readonly node: string;
  /**
   * `right`: nothing is to be done. `label`: it gets labels. `other`: it bears the label of a pool that it is not like, or
   * another value of a pool's label. `several`, `none`: so many pools are like it. `unknown`: it has devices that nothing
   * announces yet. Only `label` is done unasked.
   */
  readonly verdict: 'right' | 'label' | 'other' | 'several' | 'none' | 'unknown';
  /** Labels that it lacks, or has with another value. */
  readonly labels: Readonly<Record<string, string>>;
  /** The pools that are like it. */
  readonly pools: readonly string[];
}

/** Names of makers differ in what stands between words: `A100` is of `A100-SXM4-80GB`, `A10` is not. */
const wordsOf = (model: string): readonly string[] =>
  model
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
/** A part of a device is another device. */
const PARTS = ['mig', 'shared'] as const;
/** Drivers keep some of the memory for themselves, and labels round it. */
const MEMORY_TOLERANCE = 0.1;

/** Whether a node's devices are those of a pool, number by number, as far as either says anything of model and memory. */
export function isLike(devices: Pick<NodeDevices, 'gpus'>, pool: Pool): boolean {
  return GPU_FIELDS.every((field) => {
    const own = devices.gpus.find((gpus) => gpus.field === field);
    const wanted = pool[field];
    if (own === undefined || wanted === undefined) return own === undefined && wanted === undefined;
    if (own.count !== wanted.count) return false;
    // Devices that are announced with nothing behind them have no labels.
    return pool.fakeGpus || (isModel(own, wanted.model) && isMemory(own, wanted.memory));
  });
}

function isModel({ model }: NodeGpus, wanted: string | undefined): boolean {
  const own = wordsOf(model ?? '');
  const words = wordsOf(wanted ?? '');
  if (PARTS.some((part) => own.includes(part) !== words.includes(part))) return false;
  return words.every((word) => own.includes(word));
}

function isMemory({ memory }: NodeGpus, wanted: number | undefined): boolean {
  return memory === undefined || wanted === undefined || Math.abs(memory - wanted) <= MEMORY_TOLERANCE * wanted;
}

/** What a node lacks. Devices that are announced with nothing behind them lack nothing. */
export function lacksOf({ labels, lacks }: NodeDevices, nodePools: readonly Pool[]): readonly string[] {
  return nodePools.some(({ name, fakeGpus }) => fakeGpus && name === labels[POOL_LABEL]) ? [] : lacks;
}

/** Which labels a node gets so that jobs find it. A label that somebody has set stays, unless the caller takes it over. */
export function planOf(node: NodeDevices, nodePools: readonly Pool[]): NodePlan {
  if (node.unannounced) return { node: node.name, verdict: 'unknown', labels: {}, pools: [] };
  const like = nodePools.filter((pool) => isLike(node, pool));
  const current = node.labels[POOL_LABEL];
  const pools = like.map(({ name }) => name);
  const [pool] = current === undefined ? like : like.filter(({ name }) => name === current);
  if (current === undefined && like.length > 1) return { node: node.name, verdict: 'several', labels: {}, pools };
  // With the wrong label, only one pool that it is like can be meant.
  const target = pool ?? (like.length === 1 ? like[0] : undefined);
  if (target === undefined) {
    return { node: node.name, verdict: current === undefined ? 'none' : 'other', labels: {}, pools };
  }
  const wanted = { ...target.labels, [POOL_LABEL]: target.name };
  const labels = Object.fromEntries(Object.entries(wanted).filter(([key, value]) => node.labels[key] !== value));
  const taken = Object.keys(labels).some((key) => node.labels[key] !== undefined);
  const verdict = Object.keys(labels).length === 0 ? 'right' : taken ? 'other' : 'label';
  return { node: node.name, verdict, labels, pools };
}
