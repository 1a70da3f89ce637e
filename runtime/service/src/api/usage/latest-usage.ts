import { type JobUsage, jobUsage, type UsageReport } from '@delos/core';
import { type Cache, script } from '../cache/cache.ts';

/** Four measurements. What is older says nothing of a job that runs. */
const KEPT_MS = 60_000;
/** Keys of one command: no user waits long for another's. */
const AT_ONCE = 200;

const SET_ALL = script(`
for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[i + 1], 'PX', ARGV[1]) end
return #KEYS
`);

/** A job, and the cluster that it runs on. */
export interface UsedJob {
  readonly id: string;
  readonly cluster: string;
}

/**
 * What running jobs used when they were measured last. The replica that the agent is connected to writes each measurement
 * once, and every replica reads it.
 */
export class LatestUsage {
  readonly #cache: Cache;

  constructor(cache: Cache) {
    this.#cache = cache;
  }

  /** @param cluster whose agent measured: it writes nothing of another's jobs */
  async record(cluster: string, jobs: UsageReport['jobs']): Promise<void> {
    for (const some of chunks(jobs)) {
      const values = some.map(({ usage }) => JSON.stringify(usage));
      await this.#cache.run(
        SET_ALL,
        some.map(({ id }) => keyOf({ cluster, id })),
        [String(KEPT_MS), ...values],
      );
    }
  }

  /** Job → what it used last; without those of which nothing is known. */
  async of(jobs: readonly UsedJob[]): Promise<ReadonlyMap<string, JobUsage>> {
    const found = new Map<string, JobUsage>();
    for (const some of chunks(jobs)) {
      const values = await this.#cache.command('MGET', ...some.map(keyOf));
      for (const [index, { id }] of some.entries()) {
        const usage = Array.isArray(values) ? tryUsage(values[index]) : undefined;
        if (usage !== undefined) found.set(id, usage);
      }
    }
    return found;
  }
}

const keyOf = ({ cluster, id }: UsedJob): string => `usage:${cluster}:${id}`;

function chunks<T>(items: readonly T[]): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / AT_ONCE);
  return Array.from({ length: count }, (_, index) => items.slice(index * AT_ONCE, (index + 1) * AT_ONCE));
}

function tryUsage(value: unknown): JobUsage | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    return jobUsage.safeParse(JSON.parse(value)).data;
  } catch {
    return undefined;
  }
}
