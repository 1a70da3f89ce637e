import { copyFile, cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { GoBuild } from '@delos/artifacts';
import { run } from '@delos/host';
import { z } from 'zod';

const downloaded = z.object({ Dir: z.string() });

/**
 * Puts what a module lacks into a copy of it. Go refuses overlays beneath its cache of modules, and takes a copy by a
 * `replace` in another go.mod. What is copied was checked by go.sum when it was fetched.
 * @param place.folder where the copy and that go.mod go; whoever called removes it
 * @returns that go.mod; undefined where nothing is lacking; what Go said where it failed
 */
export async function completeModule(
  go: string,
  { lacking }: Pick<GoBuild, 'lacking'>,
  place: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly folder: string;
  },
): Promise<string | undefined | { readonly stderr: string }> {
  if (lacking === undefined) return undefined;
  const { cwd, env, folder } = place;
  const fetched = await run(go, ['mod', 'download', '-json', lacking.module], { cwd, env, limitSeconds: 3600 });
  if (fetched.code !== 0) return { stderr: `${fetched.stderr}\n${fetched.stdout}` };
  const copy = join(folder, 'module');
  await mkdir(folder, { recursive: true });
  await cp(downloaded.parse(JSON.parse(fetched.stdout)).Dir, copy, { recursive: true });
  for (const [path, text] of Object.entries(lacking.files)) {
    const file = join(copy, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  const modfile = join(folder, 'go.mod');
  await copyFile(join(cwd, 'go.mod'), modfile);
  await copyFile(join(cwd, 'go.sum'), join(folder, 'go.sum'));
  const edit = ['mod', 'edit', `-replace=${lacking.module}=${copy}`, modfile];
  const edited = await run(go, edit, { cwd, env, limitSeconds: 60 });
  return edited.code === 0 ? modfile : { stderr: edited.stderr };
}
