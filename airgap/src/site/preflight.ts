import { createHash } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { DelosError } from '@delos/core';
import { type Digest, hexOf } from '../format/digest.ts';
import type { Fault } from '../format/fault.ts';
import type { BundleIndex } from '../format/index-schema.ts';
import type { Registry } from '../registry/client.ts';
import type { ImportPlan, Upload } from './import-plan.ts';

/** What a registry's store needs beside the content of a blob: its folder and block, and a link in each repository. */
const PER_BLOB_BYTES = 4 * 4096;

/** What an import would do. Nothing has been changed. */
export interface Preflight {
  /** Uploads of blobs that the registry lacks. */
  readonly lacking: readonly Upload[];
  /** How many bytes these have. */
  readonly bytes: number;
  /** What the registry's disk needs for them, bytes of its own order included. */
  readonly needed: number;
  /** What is free there; null where nobody has said where it is. */
  readonly free: number | null;
}

export interface PreflightOptions {
  /** Folder of the registry's data, where it is on this machine. */
  readonly store?: string | undefined;
  readonly signal?: AbortSignal;
  readonly onBase?: (done: number, of: number) => void;
}

/**
 * Looks before an import: blobs that the bundle builds on are read back, each whole; which blobs lack; whether there is room
 * for them, to the byte; whether the registry takes what is sent. Nothing is changed.
 * @returns faults of the base, or what would be done
 * @throws DelosError ERR_DISK_SPACE, ERR_BUNDLE_IMPORT
 */
export async function preflight(
  index: BundleIndex,
  plan: ImportPlan,
  registry: Registry,
  options: PreflightOptions = {},
): Promise<{ readonly faults: readonly Fault[] } | Preflight> {
  const { signal } = options;
  const faults: Fault[] = [];
  const manifests = new Set(
    index.items.flatMap(({ descriptor, manifests: more = [] }) => [descriptor.digest, ...more]),
  );
  for (const [nth, base] of plan.base.entries()) {
    options.onBase?.(nth, plan.base.length);
    const found = await readBack(registry, base.digest, base.repositories, manifests.has(base.digest), signal);
    if (found !== base.digest) faults.push(notThere(base.digest, found));
  }
  if (faults.length > 0) return { faults };
  const lacking: Upload[] = [];
  for (const upload of plan.uploads) {
    const size = await registry.tryBlob(upload.repository, upload.digest, signal);
    if (size !== upload.size) lacking.push(upload);
  }
  const bytes = lacking.reduce((sum, { size }) => sum + size, 0);
  const needed = lacking.reduce((sum, { size }) => sum + Math.ceil(size / 4096) * 4096 + PER_BLOB_BYTES, 0);
  const free = options.store === undefined ? null : await freeIn(options.store);
  if (free !== null && free < needed) {
    throw new DelosError(
      'ERR_DISK_SPACE',
      `the registry needs ${needed} bytes more in ${options.store}, and ${free} are free: ${needed - free} too few`,
      {
        hint: 'make room there, or remove bundles that nobody needs by `delos bundle prune`; nothing was changed',
        data: { needed, free },
      },
    );
  }
  const [first] = plan.namings;
  if (first !== undefined)
    await registry.cancel(first.repository, await registry.beginUpload(first.repository, signal));
  return { lacking, bytes, needed, free };
}

async function freeIn(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (cause) {
    throw new DelosError('ERR_USAGE', `--store ${folder} cannot be looked at`, {
      hint: 'the folder where the registry on this machine keeps its data',
      cause,
    });
  }
}

/** Digest of what the site has under a digest; undefined where no repository has it. */
async function readBack(
  registry: Registry,
  digest: Digest,
  repositories: readonly string[],
  isManifest: boolean,
  signal: AbortSignal | undefined,
): Promise<Digest | undefined> {
  for (const repository of repositories) {
    const hash = createHash('sha256');
    if (isManifest) {
      const bytes = await registry.readManifest(repository, digest, signal);
      if (bytes === undefined) continue;
      hash.update(bytes);
    } else {
      const bytes = await registry.readBlob(repository, digest, signal);
      if (bytes === undefined) continue;
      for await (const piece of bytes) hash.update(piece);
    }
    return `sha256:${hash.digest('hex')}`;
  }
  return undefined;
}

function notThere(digest: Digest, found: Digest | undefined): Fault {
  const name = hexOf(digest).slice(0, 12);
  return {
    kind: 'base-missing',
    message: `the bundle builds on blob ${name}, which ${found === undefined ? 'this site lacks' : `has changed here: sha256 ${hexOf(found)}, expected ${hexOf(digest)}`}`,
    todo: 'import the bundle that has it first, or ask for one that is made --since an inventory of this site',
    blob: digest,
    expected: digest,
    ...(found === undefined ? {} : { found }),
  };
}
