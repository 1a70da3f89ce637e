import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MIRROR_HOST } from '@delos/artifacts';
import { DelosError, type InstancePaths, type Progress } from '@delos/core';
import { run } from '@delos/host';
import { z } from 'zod';
import { type Toolchain, toolchain } from '../toolchain/index.ts';
import { mirrorStore, withRegistry } from './store.ts';

const indexSchema = z.looseObject({ manifests: z.array(z.looseObject({})) });

/** What brings images to a cluster whose nodes do not ask the mirror. */
export interface Delivery {
  readonly paths: Pick<InstancePaths, 'cache' | 'state'>;
  /** @default this user's */
  readonly tools?: Toolchain;
}

/** Name of one of our images below `registry` (host[:port][/path]); others keep their name. */
export function inRegistry(reference: string, registry: string): string {
  return reference.startsWith(`${MIRROR_HOST}/`)
    ? `${registry.replace(/\/+$/, '')}/${reference.slice(MIRROR_HOST.length + 1)}`
    : reference;
}

/**
 * Pushes images of the store to the registry that an existing cluster pulls from, by the credentials that Docker's
 * configuration holds for it. What is there already is not sent again.
 * @returns the references by which the cluster pulls them @throws DelosError ERR_IMAGE_BUILD
 */
export async function pushImages(
  references: Readonly<Record<string, string>>,
  registry: string,
  delivery: Delivery,
  progress: Progress,
): Promise<Readonly<Record<string, string>>> {
  const result: Record<string, string> = {};
  await fromStore(delivery, progress, async (endpoint, crane) => {
    for (const [name, reference] of Object.entries(references)) {
      const target = inRegistry(reference, registry);
      result[name] = target;
      if (target === reference) continue;
      progress.step(`image ${name}: pushing to ${registry}`);
      // --insecure is for the store's own plain http; a registry that offers TLS is spoken to over TLS.
      const insecure = isLoopback(registry) ? ['--insecure'] : [];
      const archive = await emptyFolder(delivery);
      try {
        await must(crane, ['pull', '--insecure', '--format', 'oci', `${endpoint}/${reference}`, archive], reference);
        await must(crane, ['push', ...insecure, archive, target], target);
      } finally {
        await rm(archive, { recursive: true, force: true });
      }
    }
  });
  return result;
}

/** Hands each image of the store to `load` as an archive (a tar of an OCI layout), as kind loads them. */
export async function loadImages(
  references: Readonly<Record<string, string>>,
  load: (archive: string) => Promise<void>,
  delivery: Delivery,
  progress: Progress,
): Promise<void> {
  await fromStore(delivery, progress, async (endpoint, crane) => {
    for (const [name, reference] of Object.entries(references)) {
      if (!reference.startsWith(`${MIRROR_HOST}/`)) continue;
      progress.step(`image ${name}: loading into the nodes`);
      const folder = await emptyFolder(delivery);
      try {
        const layout = join(folder, 'layout');
        const archive = join(folder, `${name}.tar`);
        await must(crane, ['pull', '--insecure', '--format', 'oci', `${endpoint}/${reference}`, layout], reference);
        await nameLayout(layout, reference);
        await must('tar', ['-cf', archive, '-C', layout, '.'], reference);
        await load(archive);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
  });
}

/** Where an image lies on its way; what a process that was killed had there goes. */
async function emptyFolder({ paths }: Delivery): Promise<string> {
  const all = join(paths.state, 'delivery');
  const own = String(process.pid);
  await mkdir(all, { recursive: true, mode: 0o700 });
  for (const pid of await readdir(all)) {
    if (pid === own || !existsSync(`/proc/${pid}`)) await rm(join(all, pid), { recursive: true, force: true });
  }
  await mkdir(join(all, own));
  return join(all, own);
}

async function fromStore(
  delivery: Delivery,
  progress: Progress,
  work: (endpoint: string, crane: string) => Promise<void>,
): Promise<void> {
  const tools = delivery.tools ?? toolchain();
  const registry = await tools.resolve('registry', progress);
  const crane = await tools.resolve('crane', progress);
  await withRegistry(registry.path, mirrorStore(delivery.paths), (endpoint) => work(endpoint, crane.path));
}

/** Gives the one image of an OCI layout the name that containerd's importer keeps. */
async function nameLayout(layout: string, reference: string): Promise<void> {
  const path = join(layout, 'index.json');
  const index = indexSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  const annotations = { 'io.containerd.image.name': reference, 'org.opencontainers.image.ref.name': reference };
  const manifests = index.manifests.map((manifest) => ({ ...manifest, annotations }));
  await writeFile(path, JSON.stringify({ ...index, manifests }));
}

function isLoopback(registry: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|\/|$)/.test(registry);
}

async function must(crane: string, args: readonly string[], what: string): Promise<void> {
  const { code, stderr } = await run(crane, args, { limitSeconds: 1800 });
  if (code === 0) return;
  throw new DelosError(
    'ERR_IMAGE_BUILD',
    `${what}: ${stderr.trim().split('\n').at(-1)?.slice(0, 300) ?? 'crane failed'}`,
    {
      hint: 'log in to the registry (crane auth login, docker login), then run this again',
    },
  );
}
