import type { Plan } from './plans.ts';
import { Simulation } from './simulation.ts';

export interface Seen {
  readonly crashes: number;
  readonly lost: number;
  readonly jobs: number;
  readonly retries: number;
  readonly cached: number;
  readonly builds: number;
  readonly broken: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
}

/**
 * A bake for each seed from `first` on, and what was met in them. Every other one finds what the one before it kept.
 * @throws Error with the seed and with what does not hold
 */
export function simulateBakes(first: number, seeds: number, flows: readonly Plan[]): Seen {
  const seen = {
    crashes: 0,
    lost: 0,
    jobs: 0,
    retries: 0,
    cached: 0,
    builds: 0,
    broken: 0,
    succeeded: 0,
    failed: 0,
    cancelled: 0,
  };
  let kept: Simulation['kept'] = new Map();
  for (let number = 0; number < seeds; number += 1) {
    const seed = first + number;
    const bake = new Simulation(
      seed,
      flows[Math.floor(number / 2) % flows.length] ?? { tasks: [], images: [] },
      number % 2 === 0 ? new Map() : kept,
    );
    try {
      seen[bake.run()] += 1;
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      throw new Error(`bake ${number} of the run of seed ${first}: ${what}`, { cause: error });
    }
    kept = bake.kept;
    for (const key of ['crashes', 'lost', 'jobs', 'retries', 'cached', 'builds', 'broken'] as const)
      seen[key] += bake.seen[key];
  }
  return seen;
}
