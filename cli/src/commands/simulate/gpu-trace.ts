import { DelosError } from '@delos/core';
import type { NodeShape, PodRequest } from '@delos/placement';
import { z } from 'zod';
import { columnsOf, csvRow, fieldOr, readCsv, wholeField } from './csv.ts';

/*
 * The two tables of Alibaba's cluster-trace-gpu-v2023 ("openb"). Lists of other clusters are written in the same form:
 * nodes (sn, cpu_milli, memory_mib, gpu, model) and Pods (name, cpu_milli, memory_mib, num_gpu, gpu_milli, gpu_spec).
 * A column with a natural default may be left out, as the trace's own lists of several GPUs a Pod leave out gpu_spec.
 */

/** The largest number of a 32-bit array, in which the packing core counts. */
const MOST = 2 ** 31 - 1;
const MOST_GPUS = 64;

const nodeRow = z.object({
  /** Left out: the node is called after its line. */
  sn: fieldOr('', z.string()),
  cpu_milli: wholeField(0, MOST),
  memory_mib: wholeField(0, MOST),
  gpu: wholeField(0, MOST_GPUS),
  /** Left out: not known; a Pod that names models does not run there. */
  model: fieldOr('', z.string()),
});

const podColumns = z.object({
  name: fieldOr('', z.string()),
  cpu_milli: wholeField(0, MOST),
  memory_mib: wholeField(0, MOST),
  num_gpu: wholeField(0, MOST_GPUS),
  /** Left out: whole GPUs. */
  gpu_milli: fieldOr('1000', wholeField(0, 1000)),
  /** Left out: any model. */
  gpu_spec: fieldOr('', z.string()),
});

const podRow = podColumns
  .refine(({ num_gpu, gpu_milli }) => num_gpu === 0 || gpu_milli > 0, {
    path: ['gpu_milli'],
    message: 'expected 1–1000 for a Pod with GPUs',
  })
  .refine(({ num_gpu, gpu_milli }) => num_gpu <= 1 || gpu_milli === 1000, {
    path: ['gpu_milli'],
    message: 'expected 1000 for a Pod of several GPUs: only one GPU can be shared',
  });

/** Nodes in the order of the file. @throws ERR_CSV, ERR_NOT_FOUND. */
export async function readNodes(file: string): Promise<readonly NodeShape[]> {
  const lines = new Map<string, number>();
  const nodes = (await readCsv(file, columnsOf(nodeRow))).map((record) => {
    const row = csvRow(file, record, nodeRow);
    const name = row.sn === '' ? `node-${record.line}` : row.sn;
    const before = lines.get(name);
    if (before !== undefined) {
      throw new DelosError('ERR_CSV', `the node ${name} is there already, in line ${before}`, {
        where: { file, line: record.line, field: 'sn' },
        hint: 'give each node a name of its own',
      });
    }
    lines.set(name, record.line);
    return { name, cpuMilli: row.cpu_milli, memoryMib: row.memory_mib, gpus: row.gpu, model: row.model };
  });
  if (nodes.every(({ gpus }) => gpus === 0)) {
    throw new DelosError('ERR_CSV', 'no node has a GPU; expected one at least', {
      where: { file, field: 'gpu' },
      hint: 'figures are in percent of the GPUs of these nodes',
    });
  }
  return nodes;
}

/** Pods in the order of the file. @throws ERR_CSV, ERR_NOT_FOUND. */
export async function readPods(file: string): Promise<readonly PodRequest[]> {
  const pods = (await readCsv(file, columnsOf(podColumns))).map((record) => {
    const row = csvRow(file, record, podRow);
    return {
      cpuMilli: row.cpu_milli,
      memoryMib: row.memory_mib,
      gpus: row.num_gpu,
      gpuMilli: row.num_gpu === 0 ? 0 : row.gpu_milli,
      models: row.gpu_spec === '' ? [] : row.gpu_spec.split('|').map((model) => model.trim()),
    };
  });
  if (pods.every(({ gpus }) => gpus === 0)) {
    throw new DelosError('ERR_CSV', 'no Pod asks for a GPU; expected one at least', {
      where: { file, field: 'num_gpu' },
      hint: '--arrivals adds Pods until they ask for so many GPUs; Pods without one never do',
    });
  }
  return pods;
}
