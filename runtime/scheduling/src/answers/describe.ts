import type { Preset } from '../model/model.ts';
import { judgeOf } from '../policies/lending.ts';
import type { JobClass, JobTemplate } from '../state/entities.ts';
import { amountsOf, chargeOf, RANKS } from '../state/job-class.ts';
import { SlotHeap } from '../state/slot-heap.ts';
import type { World } from '../state/world.ts';
import { stakesOf } from '../waking/stakes.ts';

/** The class of a template, entered nowhere. @throws RangeError where its queue or a preset is not known */
export function describeClass(state: World, template: JobTemplate, key: string): JobClass {
  const queue = state.scopes.get(template.queue);
  if (queue === undefined) throw new RangeError(`there is no queue ${template.queue}`);
  const zone = zoneOf(state, template.volumes);
  const presets = template.groups.map(({ preset }) => {
    const found = state.presets.get(preset);
    if (found === undefined) throw new RangeError(`there is no preset ${preset}`);
    return found;
  });
  const whole = state.policy.gangs === 'all-or-nothing';
  const groups = template.groups.map(({ count, min }, g) => {
    const { shape } = state.indexOf(presets[g] as Preset, { pools: template.pools, zone, nodes: template.nodes });
    return { shape, count, min: whole ? (min ?? count) : 1, perReplica: chargeOf(shape) };
  });
  const least = amountsOf(
    groups,
    groups.map(({ min }) => min),
  );
  const judge = judgeOf(queue, least);
  const [only] = groups;
  const single = groups.length === 1 && only?.count === 1;
  const alike = groups.length === 1 && template.within === undefined;
  return {
    key,
    template,
    queue,
    rank: RANKS[template.priority],
    groups,
    preemptible: presets.every(({ preemptible }) => preemptible),
    amounts: amountsOf(
      groups,
      groups.map(({ count }) => count),
    ),
    least,
    judge,
    stakes: stakesOf(queue, least),
    single,
    alike: alike && only !== undefined ? `${only.shape.key} x${only.min}` : undefined,
    pending: new SlotHeap(state.jobs),
    running: 0,
    awake: false,
    entitled: false,
    retryOn: 'anywhere',
    lacking: 0,
    dueAt: 0,
    asleepOn: undefined,
  };
}

/** Zone that a job's volumes are bound to; null where they lie in several, undefined where in none. */
function zoneOf(state: World, volumes: readonly string[]): string | null | undefined {
  const zones = new Set(volumes.flatMap((name) => state.volumes.get(name)?.zone ?? []));
  return zones.size === 0 ? undefined : zones.size === 1 ? [...zones][0] : null;
}
