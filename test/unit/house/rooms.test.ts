import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { circlesOf } from '../../support/house/circles.ts';
import { generatedPart } from '../../support/house/generated-part.ts';
import {
  APART,
  type Import,
  importsOf,
  PACKAGES,
  ROOMS,
  ROOT,
  type Room,
  SHARED_DEPENDENCIES,
  SOURCES,
  tryPackageOf,
  tryRoomOf,
} from '../../support/house/rooms.ts';

const IMPORTS = SOURCES.flatMap(importsOf);
/** Files of the root itself. */
const TOOLING = ['vitest.config.ts'];

const known = (name: string): Room | undefined => ROOMS.find((room) => room.name === name);
const mayImport = (room: Room, other: Room): boolean =>
  room === other || room.imports === 'everything' || room.imports.includes(other.name);

/** The room that an import leads to; undefined for packages of others. */
function target({ file, dependency }: Import): Room | undefined {
  if (file !== undefined) return tryRoomOf(file);
  const folder = PACKAGES.find(({ name }) => name === dependency)?.folder;
  return folder === undefined ? undefined : ROOMS.find(({ path }) => path === folder);
}

describe('the table of rooms', () => {
  test('has a folder for each room, and a room for each file', () => {
    expect(ROOMS.filter(({ path }) => !existsSync(join(ROOT, path))).map(({ name }) => name)).toEqual([]);
    expect(SOURCES.filter((file) => tryRoomOf(file) === undefined)).toEqual(TOOLING);
  });

  test('has a room for each package', () => {
    expect(PACKAGES.map(({ folder }) => folder).filter((folder) => !ROOMS.some(({ path }) => path === folder))).toEqual(
      [],
    );
  });

  test('lists only rooms that there are, and no arrow that nobody uses', () => {
    const used = new Set(IMPORTS.map((each) => `${tryRoomOf(each.from)?.name} -> ${target(each)?.name}`));
    const listed = ROOMS.flatMap(({ name, imports }) =>
      imports === 'everything' ? [] : imports.map((other) => `${name} -> ${other}`),
    );
    expect(listed.filter((arrow) => known(arrow.split(' -> ')[1] ?? '') === undefined)).toEqual([]);
    expect(listed.filter((arrow) => !used.has(arrow))).toEqual([]);
  });

  test('has no circle between packages', () => {
    expect(circlesOf(new Map(PACKAGES.map(({ name, dependencies }) => [name, Object.keys(dependencies)])))).toEqual([]);
  });

  test('is the one that docs/architecture.md shows', async () => {
    const listed = (imports: Room['imports']): string =>
      imports === 'everything' ? 'everything' : imports.length === 0 ? 'nothing' : imports.join(', ');
    const rows = ROOMS.map(({ path, idea, imports }) => `| \`${path}\` | ${idea} | ${listed(imports)} |`);
    const table = ['| room | idea | may import |', '| --- | --- | --- |', ...rows].join('\n');
    const { file, expected } = generatedPart('docs/architecture.md', 'rooms', table);
    await expect(expected).toMatchFileSnapshot(file);
  });
});

describe('every import', () => {
  test('leads to no file that imports its own file again, be it for a type alone', () => {
    const files = Map.groupBy(IMPORTS, ({ from }) => from);
    const arrows = [...files].map(([from, imports]) => [from, imports.flatMap(({ file }) => file ?? [])] as const);
    expect(circlesOf(new Map(arrows))).toEqual([]);
  });

  test('goes to a room that the table lists', () => {
    const wrong = IMPORTS.filter((each) => {
      const room = tryRoomOf(each.from);
      const other = target(each);
      return room !== undefined && other !== undefined && !mayImport(room, other);
    });
    expect(wrong.map(({ from, specifier }) => `${from}: ${specifier}`)).toEqual([]);
  });

  test('goes to the public face of another package, never into it', () => {
    const deep = IMPORTS.filter(({ from, specifier, file, dependency }) => {
      if (tryRoomOf(from)?.deep === true) return false;
      if (file !== undefined) return tryPackageOf(from) !== tryPackageOf(file);
      const imported = PACKAGES.find(({ name }) => name === dependency);
      return imported !== undefined && imported.exports[specifier.replace(imported.name, '.')] === undefined;
    });
    expect(deep.map(({ from, specifier }) => `${from}: ${specifier}`)).toEqual([]);
  });

  test('of a package is declared, and what is declared is imported', () => {
    const faults = PACKAGES.flatMap(({ folder, name, dependencies, devDependencies }) => {
      const used = new Set(
        IMPORTS.filter(({ from }) => tryPackageOf(from)?.folder === folder).flatMap(
          ({ dependency, file }) => dependency ?? tryPackageOf(file ?? '')?.name ?? [],
        ),
      );
      used.delete(name);
      for (const { name: apart } of PACKAGES.filter((each) => APART.includes(each.folder))) used.delete(apart);
      const declared = [...Object.keys(dependencies), ...Object.keys(devDependencies)];
      const typesOf = (each: string): string => each.replace(/^@types\//, '');
      return [
        ...[...used]
          .filter((each) => !declared.includes(each) && !SHARED_DEPENDENCIES.includes(each))
          .map((each) => `${folder} imports ${each}, which its package.json does not list`),
        ...declared
          .filter((each) => !used.has(typesOf(each)))
          .map((each) => `${folder} lists ${each}, which it does not import`),
      ];
    });
    expect(faults).toEqual([]);
  });
});

describe('every folder and file', () => {
  /** Some more than that a reader sees at a glance. */
  const MOST_FILES = 22;
  const MOST_LINES = 300;

  test(`at most ${MOST_FILES} files of code in a folder`, () => {
    const counts = Map.groupBy(SOURCES, (file) => file.slice(0, file.lastIndexOf('/') + 1));
    const large = [...counts].filter(([, files]) => files.length > MOST_FILES);
    expect(large.map(([folder, files]) => `${folder}: ${files.length}`)).toEqual([]);
  });

  test(`at most ${MOST_LINES} lines in a file that is no test`, () => {
    const lines = (file: string): number => readFileSync(join(ROOT, file), 'utf8').split('\n').length - 1;
    const long = SOURCES.filter((file) => !file.startsWith('test/') && lines(file) > MOST_LINES);
    expect(long.map((file) => `${file}: ${lines(file)}`)).toEqual([]);
  });
});

test.each<[string, Readonly<Record<string, readonly string[]>>, readonly string[]]>([
  ['none', { a: ['b', 'c'], b: ['c'], c: [] }, []],
  ['one of three', { a: ['b'], b: ['c'], c: ['a'] }, ['a -> b -> c -> a']],
  ['one that begins behind the first node', { a: ['b'], b: ['c'], c: ['b'] }, ['b -> c -> b']],
  ['one of a node by itself', { a: ['a'] }, ['a -> a']],
])('circles of a graph are found: %s', (_, arrows, circles) => {
  expect(circlesOf(new Map(Object.entries(arrows)))).toEqual(circles);
});
