import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readNodes, readPods } from '../../../cli/src/commands/simulate/gpu-trace.ts';
import type { NodeShape, PodRequest } from '../../../runtime/placement/src/index.ts';
import { seeded } from '../random.ts';

/** Means of ten seeds in the result file of FGD's artifact (USENIX ATC 2023): random, bestfit, fgd. */
export const PUBLISHED: Readonly<Record<string, readonly [random: number, bestfit: number, fgd: number]>> = {
  default: [87.47, 93.08, 95.39],
  gpushare40: [86.0, 91.69, 94.15],
  gpushare60: [83.65, 89.36, 91.4],
  gpushare80: [81.22, 87.01, 89.31],
  gpushare100: [79.44, 85.01, 86.9],
  multigpu20: [88.69, 93.93, 95.65],
  multigpu30: [89.27, 94.72, 96.46],
  multigpu40: [90.09, 95.23, 96.99],
  multigpu50: [90.28, 95.74, 97.18],
  gpuspec10: [87.43, 93.31, 94.95],
  gpuspec20: [87.24, 93.3, 94.84],
  gpuspec25: [86.94, 93.23, 94.74],
  gpuspec33: [86.46, 93.09, 94.55],
  cpu050: [91.24, 93.79, 95.21],
  cpu100: [89.11, 93.44, 95.35],
  cpu200: [83.77, 92.4, 95.05],
  cpu250: [80.41, 91.45, 93.41],
};

export interface GpuList {
  readonly name: string;
  readonly nodes: readonly NodeShape[];
  readonly pods: readonly PodRequest[];
}

/** Lists to replay, and where they are from. */
export interface GpuLists {
  /** For people: the trace's folder, or that the list is generated. */
  readonly source: string;
  readonly ofTrace: boolean;
  readonly names: readonly string[];
  load(name: string): Promise<GpuList>;
}

/**
 * The lists of the openb trace in the folder that DELOS_TRACES names, by default ../shared/traces beside the checkout;
 * where there is none, one small generated list of a like mix.
 */
export function gpuLists(): GpuLists {
  const folder = join(process.env.DELOS_TRACES ?? join(import.meta.dirname, '../../../../shared/traces'), 'openb');
  const names = tryList(folder).flatMap((file) => /^openb_pod_list_(.*)\.csv$/.exec(file)?.[1] ?? []);
  if (names.length === 0) {
    return {
      source: 'a small generated list',
      ofTrace: false,
      names: ['generated'],
      load: () => Promise.resolve(generated()),
    };
  }
  return {
    source: `the trace in ${folder}`,
    ofTrace: true,
    names: names.sort(),
    load: async (name) => ({
      name,
      nodes: await readNodes(join(folder, 'openb_node_list_gpu_node.csv')),
      pods: await readPods(join(folder, `openb_pod_list_${name}.csv`)),
    }),
  };
}

function tryList(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** 120 nodes of three shapes and 1,200 Pods: shares, whole GPUs, some of several GPUs, some without. */
function generated(): GpuList {
  const chance = seeded(11);
  const among = <T>(things: readonly T[]): T => things[Math.floor(chance() * things.length)] as T;
  const shapes = [
    { cpuMilli: 96_000, memoryMib: 393_216, gpus: 8, model: 'G2' },
    { cpuMilli: 104_000, memoryMib: 524_288, gpus: 2, model: 'T4' },
    { cpuMilli: 16_000, memoryMib: 122_880, gpus: 2, model: 'P100' },
  ];
  const nodes = Array.from({ length: 120 }, (_, at) => ({ name: `node-${at}`, ...among(shapes) }));
  const pods = Array.from({ length: 1200 }, (): PodRequest => {
    const cpuMilli = among([3000, 4000, 8000, 11_000, 12_000, 18_000]);
    const rest = { memoryMib: 2 * cpuMilli, models: [] };
    const kind = chance();
    if (kind < 0.12) return { ...rest, cpuMilli: 2 * cpuMilli, gpus: 0, gpuMilli: 0 };
    if (kind < 0.5) return { ...rest, cpuMilli, gpus: 1, gpuMilli: among([160, 230, 320, 470, 650, 810]) };
    if (kind < 0.98) return { ...rest, cpuMilli, gpus: 1, gpuMilli: 1000 };
    const gpus = among([2, 4, 8]);
    return { ...rest, cpuMilli: 8000 * gpus, memoryMib: 16_000 * gpus, gpus, gpuMilli: 1000 };
  });
  return { name: 'generated', nodes, pods };
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
