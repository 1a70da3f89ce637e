import type { GpuField } from '@delos/core';

/** A type of machine that a provider rents out. */
export interface Machine {
  readonly name: string;
  readonly cpu: number;
  /** GiB. */
  readonly memory: number;
  readonly gpu?: {
    readonly kind: GpuField;
    /** Words of its model, as people write it. */
    readonly model: string;
    /** Of one device, GiB. */
    readonly memory: number;
    readonly count: number;
    /** Name of the device, where the provider asks for one beside the type. */
    readonly accelerator?: string;
  };
}

/** What a node must have. */
export interface Need {
  readonly cpu: number;
  /** GiB. */
  readonly memory: number;
  readonly gpu?: {
    readonly kind: GpuField;
    readonly model: string | undefined;
    readonly memory: number;
    readonly count: number;
  };
}

/** Sizes of a family: cores, with so many GiB a core. */
export const family = (name: (cpu: number) => string, sizes: readonly number[], perCore: number): readonly Machine[] =>
  sizes.map((cpu) => ({ name: name(cpu), cpu, memory: cpu * perCore }));

const words = (text: string): readonly string[] => text.toUpperCase().split(/[^A-Z0-9]+/);

/** Whether a name that people write, as `NVIDIA A100 80GB`, is that model. */
export const isModel = (written: string, model: string): boolean => words(written).includes(model.toUpperCase());

/** The smallest machine that has all of it; undefined where there is none. GPUs are as many as asked for, no more. */
export function tryMachineFor(machines: readonly Machine[], need: Need): Machine | undefined {
  return machines
    .filter(({ cpu, memory, gpu }) => cpu >= need.cpu && memory >= need.memory && fits(gpu, need.gpu))
    .toSorted((one, other) => costOf(one) - costOf(other))[0];
}

function fits(gpu: Machine['gpu'], need: Need['gpu']): boolean {
  if (gpu === undefined || need === undefined) return gpu === need;
  const model = need.model === undefined || isModel(need.model, gpu.model);
  return gpu.kind === need.kind && gpu.count === need.count && gpu.memory >= need.memory && model;
}

/** Four GiB cost about as much as a core, and a GPU by its memory more than all else. */
const costOf = ({ cpu, memory, gpu }: Machine): number =>
  cpu + memory / 4 + (gpu === undefined ? 0 : gpu.memory * 1000);
