import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';
import { parse } from 'yaml';
import { z } from 'zod';

/** Root of the checkout. */
export const ROOT = join(import.meta.dirname, '../../..');

const room = z.strictObject({
  name: z.string(),
  /** Folder, relative to the root. */
  path: z.string(),
  idea: z.string(),
  imports: z.union([z.array(z.string()), z.literal('everything')]),
  /** May import files inside other rooms, not only their public face. */
  deep: z.boolean().default(false),
});
export type Room = z.infer<typeof room>;

/** The table of rooms, in its order. */
export const ROOMS: readonly Room[] = z
  .strictObject({ rooms: z.array(room) })
  .parse(parse(readFileSync(join(ROOT, 'docs/rooms.yaml'), 'utf8'))).rooms;

/** The room that a file lies in: the one with the longest path above it. */
export function tryRoomOf(file: string): Room | undefined {
  const above = ROOMS.filter(({ path }) => file.startsWith(`${path}/`));
  return above.toSorted((a, b) => b.path.length - a.path.length)[0];
}

const manifestSchema = z.object({
  name: z.string(),
  exports: z.record(z.string(), z.string()).default({}),
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
  peerDependencies: z.record(z.string(), z.string()).default({}),
});
export interface Package extends z.infer<typeof manifestSchema> {
  readonly folder: string;
}

const workspaces = z
  .object({ workspaces: z.array(z.string()), devDependencies: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')));

/** Packages that the root brings for all. */
export const SHARED_DEPENDENCIES: readonly string[] = Object.keys(workspaces.devDependencies);

/** Packages that are no workspaces of the root, which they take as their peer: the default install leaves them out. */
export const APART: readonly string[] = ['clouds'];

export const PACKAGES: readonly Package[] = [...workspaces.workspaces, ...APART].map((folder) => {
  const manifest = manifestSchema.parse(JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')));
  return { folder, ...manifest, dependencies: { ...manifest.peerDependencies, ...manifest.dependencies } };
});

/** The package that a file belongs to. */
export const tryPackageOf = (file: string): Package | undefined =>
  PACKAGES.find(({ folder }) => file.startsWith(`${folder}/`));

/** TypeScript files of the checkout that git knows or would add, relative to the root. */
export const SOURCES: readonly string[] = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '*.ts'],
  { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 },
)
  .split('\0')
  .filter((file) => file !== '');

export interface Import {
  readonly from: string;
  /** As it is written. */
  readonly specifier: string;
  /** Path relative to the root, for a specifier that is one. */
  readonly file: string | undefined;
  /** Name of the npm package, for a specifier that is none of Node's own. */
  readonly dependency: string | undefined;
}

/** Every import and re-export of a file, dynamic ones included, as TypeScript's own scanner finds them. */
export function importsOf(from: string): readonly Import[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(ROOT, from), 'utf8'), true, true);
  return importedFiles.map(({ fileName: specifier }) => {
    const path = specifier.startsWith('.');
    const own = path || specifier.startsWith('node:');
    return {
      from,
      specifier,
      file: path ? normalize(join(dirname(from), specifier)) : undefined,
      dependency: own
        ? undefined
        : specifier
            .split('/')
            .slice(0, specifier.startsWith('@') ? 2 : 1)
            .join('/'),
    };
  });
}
