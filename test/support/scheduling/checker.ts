import type { Job, Node, Snapshot } from '../../../runtime/scheduling/src/index.ts';
import { amounts, DIMENSIONS, forbidden, leastOf, presetOf, running, sizesOf, usage } from './quotas.ts';
import { domain, hasRoom, isOver, rests, satisfies, suits } from './room.ts';

export * from './quotas.ts';
export * from './room.ts';

/*
 * A second opinion on the scheduler: the rules of the model once more, in the plainest code there is, by trying out
 * everything. It shares nothing with the scheduler but the document both read. For small worlds only.
 */

export interface Place {
  readonly group: number;
  readonly node: string;
  readonly gpus: readonly number[];
}

/** Whether a waiting job could start at its smallest size, without preemption. */
export function couldStart(world: Snapshot, job: Job): boolean {
  return forbidden(world, job, amounts(world, job, leastOf(job))).length === 0 && hasRoom(world, job, leastOf(job));
}

/** Everything that must never be so, in a world that was decided on. */
export function violations(world: Snapshot): readonly string[] {
  const faults: string[] = [];
  for (const rest of rests(world).values()) if (isOver(rest)) faults.push(`node ${rest.node.name} is overcommitted`);
  for (const job of running(world)) {
    const sizes = sizesOf(job);
    job.groups.forEach(({ count, min }, g) => {
      const size = sizes[g] ?? 0;
      if (size < (min ?? count) || size > count)
        faults.push(`${job.id} runs ${size} of ${min ?? count}–${count} replicas`);
    });
    const places: readonly Place[] = job.running?.pods ?? [];
    const at = (name: string): Node | undefined => world.nodes.find((node) => node.name === name);
    for (const { group, node: name, gpus } of places) {
      const preset = presetOf(world, job.groups[group]?.preset ?? '');
      const node = at(name);
      if (node === undefined || !suits(world, job, preset, node)) faults.push(`${job.id} does not suit ${name}`);
      if (preset.gpu?.kind === 'claim') {
        if (node !== undefined && !satisfies(world, preset, node, gpus))
          faults.push(`${job.id} has not what it claims`);
        continue;
      }
      const devices =
        preset.gpu === undefined || preset.gpu.kind === 'slice'
          ? 0
          : preset.gpu.kind === 'whole'
            ? preset.gpu.count
            : 1;
      if (new Set(gpus).size !== devices || gpus.length !== devices)
        faults.push(`${job.id} has devices ${gpus.join(' ')}`);
    }
    const domains = new Set(
      places.flatMap(({ node }) =>
        at(node) === undefined ? [] : [domain(world, at(node) as Node, job.within ?? 'cluster')],
      ),
    );
    if (domains.size > 1) faults.push(`${job.id} spans ${domains.size} domains`);
  }
  for (const scope of world.scopes) {
    const used = usage(world, scope.name);
    for (const d of DIMENSIONS) {
      if (used[d] > Math.min(scope.quota[d] ?? Infinity, scope.limit[d] ?? Infinity))
        faults.push(`${scope.name} exceeds its ${d}`);
    }
  }
  const arrays = new Map<string, number>();
  for (const { array } of running(world)) {
    if (array?.maxRunning === undefined) continue;
    const n = (arrays.get(array.name) ?? 0) + 1;
    arrays.set(array.name, n);
    if (n > array.maxRunning) faults.push(`array ${array.name} runs ${n}`);
  }
  return faults;
}
