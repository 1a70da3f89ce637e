import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const manifest = z.object({ name: z.string(), dependencies: z.record(z.string(), z.string()).default({}) });
const workspace = z.object({ workspaces: z.array(z.string()) });

/**
 * Folders of a package of the checkout and of all packages of the checkout that it builds on, sorted. Read from the
 * package.json files, so that a room that moves or that is added cannot be missed.
 * @param root of the checkout
 * @param entry folder of the package, relative to the root
 */
export async function packagesUnder(root: string, entry: string): Promise<readonly string[]> {
  const { workspaces } = workspace.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
  const manifests = new Map<string, { readonly folder: string; readonly dependencies: readonly string[] }>();
  for (const folder of workspaces) {
    const { name, dependencies } = manifest.parse(
      JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8')),
    );
    manifests.set(name, { folder, dependencies: Object.keys(dependencies) });
  }
  const found = new Set<string>();
  const add = (folder: string, dependencies: readonly string[]): void => {
    if (found.has(folder)) return;
    found.add(folder);
    for (const name of dependencies) {
      const known = manifests.get(name);
      if (known !== undefined) add(known.folder, known.dependencies);
    }
  };
  for (const { folder, dependencies } of manifests.values()) if (folder === entry) add(folder, dependencies);
  return [...found].sort();
}
