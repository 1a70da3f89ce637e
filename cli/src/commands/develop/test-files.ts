import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DelosError, nearest } from '@delos/core';

/** Kinds of tests, each a folder under test/ and a project of the runner. */
export const SUITES = ['unit', 'integration', 'e2e', 'long'] as const;
export type Suite = (typeof SUITES)[number];

/** Tests that are asked for: their suites, and filters for the runner. No filter is all files. */
export interface Chosen {
  readonly suites: readonly Suite[];
  readonly filters: readonly string[];
}

/**
 * The tests that a person asks for by rooms (`flow`, `e2e`) or by files.
 * @param root of the checkout
 * @throws DelosError ERR_USAGE for a room that has no tests
 */
export function chosenTests(
  root: string,
  wanted: readonly string[],
  options: { readonly long: boolean; readonly only?: string },
): Chosen {
  const permitted = SUITES.filter((suite) => suite !== 'long' || options.long || options.only === 'long').filter(
    (suite) => options.only === undefined || suite === options.only,
  );
  if (wanted.length === 0) return { suites: permitted, filters: [] };
  const filters = wanted.flatMap((each) => (isFile(each) ? [each] : foldersOf(root, each, permitted)));
  const suites = permitted.filter((suite) =>
    filters.some((filter) => !filter.startsWith('test/') || filter.startsWith(`test/${suite}/`)),
  );
  return { suites, filters };
}

const isFile = (wanted: string): boolean => wanted.includes('/') || wanted.endsWith('.ts');

function foldersOf(root: string, room: string, permitted: readonly Suite[]): readonly string[] {
  const folders = room === 'e2e' ? ['test/e2e/', 'test/long/e2e/'] : SUITES.map((suite) => `test/${suite}/${room}/`);
  const found = folders.filter((folder) => existsSync(join(root, folder)));
  const rooms = roomsWithTests(root);
  if (found.length === 0) {
    const near = nearest(room, rooms);
    throw new DelosError('ERR_USAGE', `there is no room ${JSON.stringify(room)} with tests`, {
      hint: near === undefined ? `rooms: ${rooms.join(', ')}` : `did you mean ${near}?`,
    });
  }
  const now = found.filter((folder) => permitted.some((suite) => folder.startsWith(`test/${suite}/`)));
  if (now.length > 0) return now;
  throw new DelosError('ERR_USAGE', `room ${room} has no tests of this kind`, { hint: `it has: ${found.join(', ')}` });
}

/** Names of folders with tests, sorted. */
export function roomsWithTests(root: string): readonly string[] {
  const inside = SUITES.filter((suite) => suite !== 'e2e').flatMap((suite) =>
    readdirSync(join(root, 'test', suite), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name),
  );
  return [...new Set([...inside, 'e2e'])].sort();
}

/** Rooms, and files of other rooms, whose integration tests start what they need by themselves, and no cluster. */
const WITHOUT_CLUSTER: ReadonlySet<string> = new Set([
  'db',
  'files',
  'flow',
  'objects',
  'stacks',
  ...['devpi', 'gateway', 'gateway-certificate', 'gateway-limits', 'gateway-lost-service', 'keycloak', 'monitoring']
    .concat('postgres-prepare', 'redis', 'registry', 'registry-space')
    .map((name) => `constructs/${name}.test.ts`),
  ...['client', 'edge/edge-stalled', 'scheduler-core'].map((name) => `service/${name}.test.ts`),
]);

/**
 * Filters for the two rows of integration tests that run at once, each as long as the other: what is in no list shares the
 * cluster.
 */
export function integrationRows(root: string): {
  readonly alone: readonly string[];
  readonly onCluster: readonly string[];
} {
  const folder = join(root, 'test/integration');
  const rooms = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  // A room of which only some files start no cluster is told file by file.
  const parts = rooms.flatMap((room) => {
    const isSplit = [...WITHOUT_CLUSTER].some((each) => each.startsWith(`${room}/`));
    if (!isSplit) return [{ part: room, filter: `test/integration/${room}/` }];
    return readdirSync(join(folder, room), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.ts'))
      .sort()
      .map((file) => ({ part: `${room}/${file}`, filter: `test/integration/${room}/${file}` }));
  });
  const filtersOf = (wanted: boolean) =>
    parts.filter(({ part }) => WITHOUT_CLUSTER.has(part) === wanted).map(({ filter }) => filter);
  return { alone: filtersOf(true), onCluster: filtersOf(false) };
}
