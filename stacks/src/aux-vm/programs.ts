import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { DelosError } from '@delos/core';
import { type Part, treeDigest } from '../machine/part.ts';

/** What the folder of programs holds: executables, and the tree of DevPI with all that it needs. */
export const EXECUTABLES = ['registry', 'coredns', 'caddy', 'depot'] as const;
export const DEVPI = 'devpi';
export type Executable = (typeof EXECUTABLES)[number];

/** The programs of a folder, with their digests. */
export interface Programs {
  /** As a part's file. */
  readonly file: (name: Executable) => Part['files'][string];
  readonly devpi: Part['trees'][string];
}

/** @throws DelosError ERR_CONFIG_VALUE where the folder does not hold them */
export async function readPrograms(folder: string): Promise<Programs> {
  try {
    const sums = new Map<string, string>();
    for (const name of EXECUTABLES) sums.set(name, await sumOf(join(folder, name)));
    const tree = join(folder, DEVPI);
    return {
      file: (name) => ({ mode: 0o755, content: { source: join(folder, name), sha256: sums.get(name) ?? '' } }),
      devpi: { source: tree, digest: treeDigest(await filesIn(tree)) },
    };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DelosError('ERR_CONFIG_VALUE', `the folder of programs ${folder} is not whole: ${reason}`, {
      where: { field: 'programs' },
      hint: '`delos aux-vm programs --out FOLDER` makes one',
      cause,
    });
  }
}

async function filesIn(folder: string): Promise<{ path: string; sha256: string }[]> {
  const found: { path: string; sha256: string }[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) continue;
    if (!entry.isFile()) throw new Error(`${path} is no plain file`);
    found.push({ path: relative(folder, path), sha256: await sumOf(path) });
  }
  if (found.length === 0) throw new Error(`${folder} is empty`);
  return found;
}

async function sumOf(path: string): Promise<string> {
  if (!(await stat(path)).isFile()) throw new Error(`${path} is no file`);
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
