import type { TypicalPod } from './policy.ts';
import type { PodRequest } from './terms.ts';

/** How much of a workload the typical Pods stand for, as in the published experiment. */
const COVERAGE = 0.95;

/**
 * The most popular kinds of Pod (CPU, GPUs, models; memory does not tell them apart) that together make up `coverage`
 * of the workload, with popularities that sum to 1. Kinds as popular as one another stand in the order in which they
 * first appear. Source: Weng et al., USENIX ATC 2023, section 3.
 */
export function typicalPods(workload: readonly PodRequest[], coverage = COVERAGE): readonly TypicalPod[] {
  const kinds = new Map<string, { readonly request: PodRequest; count: number }>();
  for (const pod of workload) {
    const request = pod.gpus === 0 ? { ...pod, memoryMib: 0, gpuMilli: 0, models: [] } : { ...pod, memoryMib: 0 };
    const key = [request.cpuMilli, request.gpus, request.gpuMilli, ...request.models].join(' ');
    const kind = kinds.get(key);
    if (kind === undefined) kinds.set(key, { request, count: 1 });
    else kind.count += 1;
  }
  const popular: { readonly request: PodRequest; readonly count: number }[] = [];
  let covered = 0;
  for (const kind of [...kinds.values()].sort((a, b) => b.count - a.count)) {
    if (covered >= coverage * workload.length) break;
    popular.push(kind);
    covered += kind.count;
  }
  return popular.map(({ request, count }) => ({ request, popularity: count / covered }));
}
