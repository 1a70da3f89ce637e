import { DelosError } from '@delos/core';
import type { NodeShape, PodRequest } from '@delos/placement';
import { z } from 'zod';
import { csvRow, readCsv, wholeField } from './csv.ts';

/*
 * The two tables of Alibaba's cluster-trace-gpu-v2023 ("openb"), which lists of other clusters are written in as well:
 * nodes (sn, cpu_milli, memory_mib, gpu, model) and Pods (name, cpu_milli, memory_mib, num_gpu, gpu_milli, gpu_spec).
 */

/** The largest number of a 32-bit array, in which the packing core counts. */
const MOST = 2 ** 31 - 1;
const MOST_GPUS = 64;

const nodeRow = z.object({
  sn: z.string().min(1, 'expected the name of a node'),
  cpu_milli: wholeField(0, MOST),
  memory_mib: wholeField(0, MOST),
  gpu: wholeField(0, MOST_GPUS),
  model: z.string(),
});

const podRow = z
  .object({
    name: z.string(),
    cpu_milli: wholeField(0, MOST),
    memory_mib: wholeField(0, MOST),
    num_gpu: wholeField(0, MOST_GPUS),
    gpu_milli: wholeField(0, 1000),
    gpu_spec: z.string(),
  })
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
  const nodes = (await readCsv(file, Object.keys(nodeRow.shape))).map((record) => {
    const row = csvRow(file, record, nodeRow);
    const before = lines.get(row.sn);
    if (before !== undefined) {
      throw new DelosError('ERR_CSV', `the node ${row.sn} is there already, in line ${before}`, {
        where: { file, line: record.line, field: 'sn' },
        hint: 'give each node a name of its own',
      });
    }
    lines.set(row.sn, record.line);
    return { name: row.sn, cpuMilli: row.cpu_milli, memoryMib: row.memory_mib, gpus: row.gpu, model: row.model };
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
  const pods = (await readCsv(file, Object.keys(podRow.shape))).map((record) => {
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
      hint: 'the list is filled up until the GPUs asked for reach --arrivals, which never comes without any',
    });
  }
  return pods;
}
