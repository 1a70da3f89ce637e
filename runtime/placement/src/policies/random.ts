import { idleGpus } from '../gpu-choice.ts';
import type { Policy } from '../policy.ts';
import { ScoreCache } from '../score-cache.ts';
import { isShare } from '../terms.ts';

/**
 * A node drawn uniformly among those that fit, and for a share a GPU drawn among those with room: the floor that a
 * policy has to be above. Source: the `Random` baseline of Weng et al., "Beware of Fragmentation", USENIX ATC 2023.
 */
export const random: Policy = {
  name: 'random',
  start(cluster, { draw }) {
    const cache = new ScoreCache(cluster, () => 0);
    return {
      tryPlace(request, allowed) {
        const { scores } = cache.row(request);
        const fitting: number[] = [];
        for (let node = 0; node < scores.length; node += 1) {
          if (scores[node] === 0 && (allowed === undefined || allowed(node))) fitting.push(node);
        }
        if (fitting.length === 0) return undefined;
        const node = fitting[draw(fitting.length)] as number;
        if (!isShare(request)) return { node, gpus: idleGpus(cluster, node, request.gpus) };
        const first = node * cluster.stride;
        const free = cluster.gpuFree.subarray(first, first + (cluster.gpuCount[node] as number));
        const room = [...free.keys()].filter((gpu) => (free[gpu] as number) >= request.gpuMilli);
        return { node, gpus: [room[draw(room.length)] as number] };
      },
    };
  },
};
