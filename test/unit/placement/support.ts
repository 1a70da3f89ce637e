import fc from 'fast-check';
import {
  type Cluster,
  isShare,
  type NodeShape,
  type Placement,
  type PodRequest,
  WHOLE_GPU,
} from '../../../runtime/placement/src/index.ts';

export function node(shape: Partial<NodeShape> = {}): NodeShape {
  return { name: 'node', cpuMilli: 96_000, memoryMib: 393_216, gpus: 8, model: 'T4', ...shape };
}

export function pod(request: Partial<PodRequest> = {}): PodRequest {
  return { cpuMilli: 4000, memoryMib: 8192, gpus: 1, gpuMilli: WHOLE_GPU, models: [], ...request };
}

const MODELS = ['A10', 'T4', 'V100'];

/** Small nodes, such that CPU, memory, GPUs and models all bind somewhere. */
export const someNodes: fc.Arbitrary<readonly NodeShape[]> = fc
  .array(
    fc.record({
      cpuMilli: fc.integer({ min: 0, max: 24 }).map((cores) => cores * 1000),
      memoryMib: fc.integer({ min: 0, max: 48 }).map((gib) => gib * 1024),
      gpus: fc.integer({ min: 0, max: 4 }),
      model: fc.constantFrom(...MODELS),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((shapes) =>
    shapes.map((shape, at) => ({ ...shape, name: `n${at}`, model: shape.gpus === 0 ? '' : shape.model })),
  );

export const somePod: fc.Arbitrary<PodRequest> = fc
  .record({
    cpuMilli: fc.integer({ min: 0, max: 9 }).map((cores) => cores * 1000),
    memoryMib: fc.integer({ min: 0, max: 16 }).map((gib) => gib * 1024),
    ...{ gpus: fc.constant(0), gpuMilli: fc.constant(0) },
    models: fc.subarray(MODELS, { maxLength: 2 }),
  })
  .chain((rest) =>
    fc.oneof(
      fc.constant({ ...rest, models: [] }),
      fc.integer({ min: 1, max: 4 }).map((gpus) => ({ ...rest, gpus, gpuMilli: WHOLE_GPU })),
      fc.constantFrom(110, 190, 320, 470, 550, 810).map((gpuMilli) => ({ ...rest, gpus: 1, gpuMilli })),
    ),
  );

export const somePods: fc.Arbitrary<readonly PodRequest[]> = fc.array(somePod, { minLength: 1, maxLength: 30 });

/** Whether a placement holds, by rules of its own: nothing of the cluster's own reckoning is asked. */
export function holds(
  nodes: readonly NodeShape[],
  held: readonly { readonly request: PodRequest; readonly placement: Placement }[],
): boolean {
  return nodes.every((shape, index) => {
    const here = held.filter(({ placement }) => placement.node === index);
    const gpus = new Array<number>(shape.gpus).fill(0);
    for (const { request, placement } of here) {
      if (placement.gpus.length !== request.gpus) return false;
      if (request.gpus > 0 && request.models.length > 0 && !request.models.includes(shape.model)) return false;
      for (const gpu of placement.gpus) {
        if (gpu < 0 || gpu >= shape.gpus) return false;
        gpus[gpu] = (gpus[gpu] as number) + request.gpuMilli;
      }
    }
    return (
      gpus.every((milli) => milli <= WHOLE_GPU) &&
      here.reduce((sum, { request }) => sum + request.cpuMilli, 0) <= shape.cpuMilli &&
      here.reduce((sum, { request }) => sum + request.memoryMib, 0) <= shape.memoryMib
    );
  });
}

/** Every placement of a request on a cluster as it is, GPUs of equal free milli counted once. */
export function placements(cluster: Cluster, request: PodRequest): readonly Placement[] {
  const found: Placement[] = [];
  for (let at = 0; at < cluster.size; at += 1) {
    const { model, gpus } = cluster.shapes[at] as NodeShape;
    if (request.gpus > 0 && request.models.length > 0 && !request.models.includes(model)) continue;
    if (!cluster.fits(request, at)) continue;
    const free = Array.from({ length: gpus }, (_, gpu) => cluster.gpuFree[at * cluster.stride + gpu] as number);
    if (isShare(request)) {
      for (const milli of new Set(free.filter((value) => value >= request.gpuMilli))) {
        found.push({ node: at, gpus: [free.indexOf(milli)] });
      }
    } else {
      const idle = [...free.keys()].filter((gpu) => free[gpu] === WHOLE_GPU);
      found.push({ node: at, gpus: idle.slice(0, request.gpus) });
    }
  }
  return found;
}
