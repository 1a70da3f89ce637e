import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CATALOGUE, MIRROR_HOST, STAND_IN_FOR_LABEL, STAND_IN_LABEL } from '@delos/artifacts';
import { DelosError, instancePaths, silent } from '@delos/core';
import { run } from '@delos/host';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  ensureImages,
  listImages,
  loadImages,
  mirrorStore,
  pushImages,
  withRegistry,
} from '../../../cluster/src/images/index.ts';
import { tryStored } from '../../../cluster/src/images/store.ts';
import { resolveTool } from '../../../cluster/src/toolchain/index.ts';
import { runSeed } from '../../support/random.ts';

/*
 * Two caches: this user's, in which all images are (they are needed by every test that has a cluster), and for what
 * gets damaged or killed one of its own, with the smallest image and this user's tools.
 */

const ROOT = join(import.meta.dirname, '../../..');
const SEED = runSeed();
const users = instancePaths('delos', process.env);
const shared = { root: ROOT, source: 'local', standIns: true } as const;
const descriptor = z.object({ digest: z.string(), size: z.number() });
const manifestSchema = z.object({ config: descriptor, layers: z.array(descriptor) });
const configSchema = z.object({ config: z.object({ Labels: z.record(z.string(), z.string()).optional() }) });

afterAll(() => console.log(`images: seed ${SEED} (DELOS_TEST_SEED)`));

/** What a node's containerd does: manifest, configuration and the length of every layer. */
async function pull(endpoint: string, repository: string, tag: string) {
  const accept = 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json';
  const answer = await fetch(`http://${endpoint}/v2/${repository}/manifests/${tag}`, { headers: { accept } });
  if (!answer.ok) return undefined;
  const manifest = manifestSchema.parse(await answer.json());
  for (const { digest, size } of manifest.layers) {
    const blob = await fetch(`http://${endpoint}/v2/${repository}/blobs/${digest}`, { method: 'HEAD' });
    expect(Number(blob.headers.get('content-length')), `${repository} ${digest}`).toBe(size);
  }
  const config = await fetch(`http://${endpoint}/v2/${repository}/blobs/${manifest.config.digest}`);
  return {
    digest: answer.headers.get('docker-content-digest'),
    labels: configSchema.parse(await config.json()).config.Labels ?? {},
  };
}

const BUILT = CATALOGUE.filter(({ build }) => build !== null);

describe('the store of all images', () => {
  test('serves each by the reference that is given out, with title, licence and what it stands in for', async () => {
    const references = await ensureImages({ ...shared, paths: users }, silent);
    expect(Object.keys(references).sort()).toEqual(CATALOGUE.map(({ name }) => name).sort());
    const registry = await resolveTool('registry', silent);
    for (const { name, build, upstream } of CATALOGUE) if (build === null) expect(references[name]).toBe(upstream);
    await withRegistry(registry.path, mirrorStore(users), async (endpoint) => {
      for (const image of BUILT) {
        const [repository = '', tag = ''] = (references[image.name] ?? '').split(':');
        expect(repository).toBe(`${MIRROR_HOST}/delos/${image.name}`);
        const own = await pull(endpoint, repository, tag);
        expect(own?.labels, image.name).toMatchObject({
          'org.opencontainers.image.title': image.name,
          'org.opencontainers.image.licenses': image.licence,
        });
        expect(own?.labels[STAND_IN_LABEL], image.name).toBe(image.standIn ?? undefined);
        for (const name of image.answers) {
          // A stand-in is never found under the plain name: that a node asks for it is that node's choice.
          const plain = await pull(endpoint, name, image.tags[0] ?? '');
          const apart = await pull(endpoint, `stand-in/${name}`, image.tags[0] ?? '');
          const [answering, other] = image.standIn === null ? [plain, apart] : [apart, plain];
          expect(answering?.digest, name).toBe(own?.digest);
          expect(other, name).toBeUndefined();
          if (image.standIn !== null) expect(answering?.labels[STAND_IN_FOR_LABEL]).toBe(name);
        }
      }
    });
  });

  test('is listed as it is, and published images are named upstream where that is the choice', async () => {
    await ensureImages({ ...shared, paths: users }, silent);
    const local = await listImages({ ...shared, paths: users });
    const published = CATALOGUE.filter(({ build }) => build === null).map(({ name, upstream }) => [name, upstream]);
    expect(local.filter(({ state }) => state !== 'stored').map(({ name, reference }) => [name, reference])).toEqual(
      published,
    );
    const upstream = await listImages({ ...shared, paths: users, source: 'upstream', standIns: false });
    expect(upstream.filter(({ role }) => role === 'stand-in')).toEqual([]);
    expect(upstream.find(({ name }) => name === 'postgres')).toMatchObject({
      state: 'upstream',
      reference: CATALOGUE.find(({ name }) => name === 'postgres')?.upstream,
    });
  });

  test('goes to the registry of an existing cluster, under its path', async () => {
    const references = await ensureImages({ ...shared, paths: users, names: ['pause', 'coredns'] }, silent);
    const folder = await mkdtemp(join(tmpdir(), 'delos-registry-'));
    const registry = await resolveTool('registry', silent);
    try {
      await withRegistry(registry.path, folder, async (endpoint) => {
        const pushed = await pushImages(references, `${endpoint}/team/`, { paths: users }, silent);
        for (const [name, reference] of Object.entries(pushed)) {
          const [, tag = ''] = (references[name] ?? '').split(':');
          expect(reference).toBe(`${endpoint}/team/delos/${name}:${tag}`);
          const there = await pull(endpoint, `team/delos/${name}`, tag);
          expect(there?.digest).toBe(
            (await tryStored(mirrorStore(users), `${MIRROR_HOST}/delos/${name}`, tag))?.digest,
          );
        }
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('becomes archives that name their image, as nodes import them', async () => {
    const references = await ensureImages({ ...shared, paths: users, names: ['pause'] }, silent);
    const seen: string[] = [];
    const load = async (archive: string): Promise<void> => {
      const { stdout } = await run('tar', ['-xOf', archive, './index.json']);
      const index = z.object({ manifests: z.array(z.object({ annotations: z.record(z.string(), z.string()) })) });
      seen.push(index.parse(JSON.parse(stdout)).manifests[0]?.annotations['io.containerd.image.name'] ?? '');
    };
    await loadImages(references, load, { paths: users }, silent);
    expect(seen).toEqual([references.pause]);
  });

  test('a name that is not in the catalogue is one error that names those that are', async () => {
    const asked = ensureImages({ ...shared, paths: users, names: ['pauze'] }, silent);
    await expect(asked).rejects.toMatchObject({ code: 'ERR_IMAGE_UNKNOWN', hint: expect.stringContaining('pause') });
    await expect(asked).rejects.toBeInstanceOf(DelosError);
  });
});

describe('a store that something happened to', () => {
  let cache = '';
  const options = () => ({ ...shared, paths: { cache }, names: ['pause'] });

  beforeEach(async () => {
    cache = await mkdtemp(join(tmpdir(), 'delos-images-'));
    for (const name of ['go', 'tools']) {
      await mkdir(join(users.cache, name), { recursive: true });
      await symlink(join(users.cache, name), join(cache, name));
    }
  });
  afterEach(async () => {
    await run('buildah', [...storage(cache), 'rm', '--all']);
    await run('buildah', [...storage(cache), 'rmi', '--all', '--force']);
    await rm(cache, { recursive: true, force: true });
  });

  /** Counts what is built: each image tells its number before it is. */
  async function ensure(): Promise<{ reference: string; built: number }> {
    let built = 0;
    const step = (text: string): void => {
      if (/^image pause \(1 of 1\)$/.test(text)) built += 1;
    };
    const references = await ensureImages(options(), { ...silent, step });
    return { reference: references.pause ?? '', built };
  }

  async function whole(reference: string): Promise<boolean> {
    const [repository = '', tag = ''] = reference.split(':');
    return (await tryStored(mirrorStore({ cache }), repository, tag)) !== undefined;
  }

  test('what is there is not built again; what is damaged is', async () => {
    const first = await ensure();
    expect(first.built).toBe(1);
    expect((await ensure()).built).toBe(0);

    for (const part of ['largest', 'manifest'] as const) {
      const blobs = await blobsOf(cache);
      const sizes = await Promise.all(blobs.map(async (path) => ({ path, size: (await stat(path)).size })));
      sizes.sort((one, other) => other.size - one.size);
      const [repository = '', tag = ''] = first.reference.split(':');
      const digest = (await tryStored(mirrorStore({ cache }), repository, tag))?.digest.slice('sha256:'.length) ?? '';
      const manifest = sizes.find(({ path }) => path.includes(digest));
      const damaged = part === 'largest' ? sizes[0]?.path : manifest?.path;
      if (damaged === undefined) throw new Error(`no ${part} blob in ${sizes.length}`);
      await truncate(damaged, 10);
      expect(await whole(first.reference), part).toBe(false);
      expect(await ensure(), part).toEqual({ reference: first.reference, built: 1 });
      expect(await whole(first.reference), part).toBe(true);
    }
  });

  test('two at once build once', async () => {
    const [one, other] = await Promise.all([ensure(), ensure()]);
    expect(one.reference).toBe(other.reference);
    expect(one.built + other.built).toBe(1);
  });

  test('a build that was killed at any instant leaves nothing behind, and the next one completes it', async () => {
    const random = randomFrom(SEED);
    const entry = join(ROOT, 'cluster/src/images/index.ts');
    const code = `
      const { ensureImages } = await import(${JSON.stringify(entry)});
      const quiet = { phase: () => () => undefined, step: () => undefined, warn: () => undefined };
      console.log('started');
      await ensureImages(${JSON.stringify(options())}, quiet);
      console.log('finished');`;
    let killed = 0;
    const temporary = join(cache, 'tmp');
    await mkdir(temporary);
    for (let round = 0; round < 6; round += 1) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, TMPDIR: temporary },
      });
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
      const ended = new Promise((resolve) => child.once('close', resolve));
      await expect.poll(() => output, { timeout: 60_000, interval: 5 }).toContain('started');
      await new Promise((resolve) => setTimeout(resolve, random() * 1200));
      child.kill('SIGKILL');
      await ended;
      if (!output.includes('finished')) killed += 1;
      await expect.poll(() => processesIn(cache), { timeout: 20_000 }).toEqual([]);
      await rm(mirrorStore({ cache }), { recursive: true, force: true });
    }
    expect(killed).toBeGreaterThan(0);
    expect(await readdir(temporary)).toEqual([]);
    const { reference, built } = await ensure();
    expect(built).toBe(1);
    expect(await whole(reference)).toBe(true);
    const mounts = await readFile('/proc/self/mounts', 'utf8');
    expect(mounts.split('\n').filter((line) => line.includes(cache))).toEqual([]);
  });
});

const storage = (cache: string): string[] => [
  '--root',
  join(cache, 'images/buildah/root'),
  '--runroot',
  join(cache, 'images/buildah/run'),
];

async function blobsOf(cache: string): Promise<readonly string[]> {
  const folder = join(mirrorStore({ cache }), 'docker/registry/v2/blobs');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Command lines of processes that work in a folder. */
async function processesIn(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const line = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
    if (line.includes(folder)) found.push(line.slice(0, 200));
  }
  return found;
}

/** Numbers in [0, 1) that follow from a seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
