import { linesOfProjects } from '@delos/core';
import type { ApiDeps } from '../../deps.ts';
import { askStore } from './store.ts';

const EVERY_MS = 60 * 60_000;
/** So long the lines of a project stay that was taken out of delos.yaml, as its logs do: it may have been a slip. */
const RETIRED_MS = 86_400_000;
/** Projects that one filter names. */
const AT_ONCE = 50;

/** When each control API looked last. */
const looked = new WeakMap<ApiDeps, number>();

/**
 * Removes lines of jobs that their project keeps for fewer days than the store does, and those of projects that are gone.
 * VictoriaLogs rewrites what it has for that, so it is asked only where there is such a line. Safe to do twice.
 */
export async function retain(deps: ApiDeps): Promise<void> {
  const now = Date.now();
  if (now - (looked.get(deps) ?? 0) < EVERY_MS) return;
  looked.set(deps, now);
  try {
    await removeOld(deps);
  } catch (error) {
    // The store may be away: it is looked again at the next sweep.
    looked.delete(deps);
    throw error;
  }
}

/** As `retain`, now. @returns how many filters were given to be removed */
export async function removeOld({ database, settings, signal }: ApiDeps): Promise<number> {
  const { logSearchUrl: url, logDays = [] } = settings;
  if (url === undefined) return 0;
  const retired = await database.db
    .selectFrom('projects')
    .select(['org', 'name as project'])
    .where('retired_at', '<', new Date(Date.now() - RETIRED_MS))
    .execute();
  const byDays = Map.groupBy(
    [
      ...logDays.map(({ org, project, days }) => ({ name: `${org}/${project}`, days })),
      ...retired.map(({ org, project }) => ({ name: `${org}/${project}`, days: 0 })),
    ],
    ({ days }) => days,
  );
  let tasks = 0;
  for (const [days, of] of byDays) {
    const names = of.map(({ name }) => name);
    for (let from = 0; from < names.length; from += AT_ONCE) {
      const filter = `_time:<${timeBefore(days)} ${linesOfProjects(names.slice(from, from + AT_ONCE))}`;
      const { text } = await askStore(url, '/select/logsql/query', { query: `${filter} | limit 1` }, signal);
      if (text.trim() === '') continue;
      await askStore(url, '/delete/run_task', { filter }, signal);
      tasks += 1;
    }
  }
  return tasks;
}

const timeBefore = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();
