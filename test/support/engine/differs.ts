import { isDeepStrictEqual } from 'node:util';
import type { Outcome, Script } from './script.ts';

/** How two outcomes of a script differ, or undefined where they agree. */
export function outcomeDiffers(script: Script, ours: Outcome, theirs: Outcome): string | undefined {
  for (const [number, their] of theirs.bakes.entries()) {
    const our = ours.bakes[number];
    // Which of a failed task and one that was killed for it gives the result, is chance with the authority.
    const good = their.result === 'succeeded';
    if (our === undefined || (our.result === 'succeeded') !== good)
      return `bake ${number} is ${our?.result}, there ${their.result}`;
    if (script.breaks === true) continue;
    const found =
      keyed('task', our.tasks, their.tasks) ??
      keyed('job', our.jobs, their.jobs) ??
      (script.counts !== true || our.most === their.most ? undefined : `${our.most} jobs at once, there ${their.most}`);
    if (found !== undefined) return `bake ${number}: ${found}`;
  }
  return script.breaks === true ? undefined : keyed('key', ours.keys, theirs.keys);
}

function keyed(what: string, ours: object, theirs: object): string | undefined {
  const [a, b] = [new Map(Object.entries(ours)), new Map(Object.entries(theirs))];
  for (const id of new Set([...a.keys(), ...b.keys()])) {
    if (!isDeepStrictEqual(a.get(id), b.get(id)))
      return `${what} ${id}: ${JSON.stringify(a.get(id))}, there ${JSON.stringify(b.get(id))}`;
  }
  return undefined;
}
