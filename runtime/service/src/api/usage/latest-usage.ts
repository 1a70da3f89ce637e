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

/**
 * What running jobs used when they were measured last. The replica that the agent is connected to writes each measurement
 * once, and every replica reads it.
 */
export class LatestUsage {
  readonly #cache: Cache;
  readonly #cluster: string;

  constructor(cache: Cache, cluster: string) {
    this.#cache = cache;
    this.#cluster = cluster;
  }

  async record(jobs: UsageReport['jobs']): Promise<void> {
    for (const some of chunks(jobs)) {
      const values = some.map(({ usage }) => JSON.stringify(usage));
      await this.#cache.run(
        SET_ALL,
        some.map(({ id }) => this.#keyOf(id)),
        [String(KEPT_MS), ...values],
      );
    }
  }

  /** Job → what it used last; without those of which nothing is known. */
  async of(ids: readonly string[]): Promise<ReadonlyMap<string, JobUsage>> {
    const found = new Map<string, JobUsage>();
    for (const some of chunks(ids)) {
      const values = await this.#cache.command('MGET', ...some.map((id) => this.#keyOf(id)));
      for (const [index, id] of some.entries()) {
        const usage = Array.isArray(values) ? tryUsage(values[index]) : undefined;
        if (usage !== undefined) found.set(id, usage);
      }
    }
    return found;
  }

  #keyOf(id: string): string {
    return `usage:${this.#cluster}:${id}`;
  }
}

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
