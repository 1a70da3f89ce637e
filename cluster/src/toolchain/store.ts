import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';

/*
 * The tool cache: CACHE/tools/NAME/VERSION-KEY/ holds the tool and `manifest.json`. An entry is made beside its place
 * and renamed into it, so that it is whole or not there.
 */

const manifestSchema = z.object({
  name: z.string(),
  version: z.string(),
  from: z.enum(['path', 'release', 'build']),
  /** Path of the executable inside the entry. */
  executable: z.string(),
  sha256: z.string(),
  size: z.number(),
  mtimeMs: z.number(),
  seconds: z.number(),
  madeAt: z.string(),
});
export type ToolManifest = z.infer<typeof manifestSchema>;

/** Bytes that are read of a file at once. */
const READ_BYTES = 2 ** 20;

/** Of any file, in constant memory. A small one is read whole: thousands of sources are hashed at each `up`, and a stream costs each its buffer. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  if ((await stat(path)).size <= READ_BYTES) hash.update(await readFile(path));
  else await pipeline(createReadStream(path, { highWaterMark: READ_BYTES }), hash);
  return hash.digest('hex');
}

export type Kept =
  | { readonly state: 'whole'; readonly path: string; readonly manifest: ToolManifest }
  | { readonly state: 'corrupt'; readonly reason: string }
  | { readonly state: 'missing' };

/**
 * Looks at an entry. An executable of the recorded size and time is taken as it is; one that was touched is hashed,
 * since a copy of the cache has new times and is as good.
 */
export async function lookUp(entry: string): Promise<Kept> {
  let manifest: ToolManifest;
  try {
    manifest = manifestSchema.parse(JSON.parse(await readFile(join(entry, 'manifest.json'), 'utf8')));
  } catch (error) {
    try {
      await stat(entry);
    } catch {
      return { state: 'missing' };
    }
    return {
      state: 'corrupt',
      reason: `its manifest cannot be read (${error instanceof Error ? error.name : 'error'})`,
    };
  }
  const path = join(entry, manifest.executable);
  try {
    const found = await stat(path);
    if (found.size !== manifest.size) {
      return { state: 'corrupt', reason: `${found.size} bytes instead of ${manifest.size}` };
    }
    if ((found.mode & 0o111) === 0) return { state: 'corrupt', reason: 'not executable' };
    if (Math.abs(found.mtimeMs - manifest.mtimeMs) > 1 && (await sha256File(path)) !== manifest.sha256) {
      return { state: 'corrupt', reason: 'its sha256 is not the recorded one' };
    }
  } catch {
    return { state: 'corrupt', reason: 'the executable is gone' };
  }
  return { state: 'whole', path, manifest };
}

/** Removes an entry so that no reader sees it half gone. */
export async function discard(entry: string): Promise<void> {
  const away = `${entry}.gone-${process.pid}-${Date.now()}`;
  await rename(entry, away).catch(() => undefined);
  await rm(away, { recursive: true, force: true });
}

/** Fills a new entry by `make` and puts it into its place; what a killed run left beside it is removed first. */
export async function keep(
  entry: string,
  head: Pick<ToolManifest, 'name' | 'version' | 'from' | 'executable'>,
  make: (folder: string) => Promise<void>,
): Promise<ToolManifest> {
  const parent = join(entry, '..');
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent)) {
    if (name.startsWith('.new-') || name.includes('.gone-'))
      await rm(join(parent, name), { recursive: true, force: true });
  }
  const folder = join(parent, `.new-${process.pid}-${Date.now()}`);
  await mkdir(folder);
  const from = performance.now();
  try {
    await make(folder);
    const path = join(folder, head.executable);
    const made = await stat(path);
    const manifest: ToolManifest = {
      ...head,
      sha256: await sha256File(path),
      size: made.size,
      mtimeMs: made.mtimeMs,
      seconds: Math.round((performance.now() - from) / 100) / 10,
      madeAt: new Date().toISOString(),
    };
    const file = await open(join(folder, 'manifest.json'), 'w');
    await file.writeFile(`${JSON.stringify(manifest, undefined, 2)}\n`);
    // The rename must not reach the disk before what it names.
    await file.sync();
    await file.close();
    const binary = await open(path, 'r');
    await binary.sync();
    await binary.close();
    await rename(folder, entry);
    return manifest;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
