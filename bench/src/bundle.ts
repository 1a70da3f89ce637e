/**
 * A bundle of random layers: made, verified, imported into a real registry, and a delta on top, in bytes a second beside sha256 of one core and
 * the disk, to which the same bytes are written, in the same run. `skopeo copy` of the same images into another such registry is the peer of the import, where skopeo is on PATH.
 *
 *   --samples N   how many images of four layers of 16 MiB (default 8)
 *
 * Each is measured three times, by turns, and the best counts: other work on the machine makes any of them slower, and none faster.
 */
import { spawn } from 'node:child_process';
import { createHash, createPrivateKey, createPublicKey, randomFillSync } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Content,
  createBundle,
  digestOf,
  hexOf,
  imageContent,
  importBundle,
  Journal,
  joined,
  newKeyList,
  newKeyPair,
  ociLayout,
  openBundle,
  planImport,
  preflight,
  Registry,
  sinceIndex,
  verifyPacks,
} from '@delos/airgap';
import { resolveTool } from '@delos/cluster';
import { silent } from '@delos/core';
import { freePort, run, tryWhich } from '@delos/host';
import { numberOption, say, seconds } from './measure.ts';

const MIB = 2 ** 20;
const LAYER = 16 * MIB;
const LAYERS = 4;
const OCI = 'application/vnd.oci.image';
const NOW = new Date('2026-11-30T00:00:00Z');
const images = numberOption('--samples', 8);
const ROUNDS = 3;

const work = await mkdtemp(join(tmpdir(), 'delos-bench-bundle-'));
const ended: (() => unknown)[] = [() => rm(work, { recursive: true, force: true })];
try {
  const document = await measure();
  process.stdout.write(
    process.argv.includes('--json')
      ? `${JSON.stringify(document)}\n`
      : `create ${document.create.MBps} MB/s, verify ${document.verify.MBps}, import ${document.import.MBps}; sha256 ${document.sha256MBps}, disk ${document.diskMBps}; delta ${document.delta.ratioToLayers} of the changed layers; ${document.peakMiB} MiB, disk ${document.diskRatio}\n`,
  );
} finally {
  for (const end of ended.toReversed()) await end();
}

async function measure() {
  say(`making ${images} images of ${LAYERS} layers of ${LAYER / MIB} MiB`);
  const layout = join(work, 'layout');
  await mkdir(join(layout, 'blobs/sha256'), { recursive: true });
  const random = Buffer.alloc(LAYER);
  const shared: Layer[] = [];
  const contents: Content[] = [];
  for (let nth = 0; nth < images; nth += 1) {
    const layers: Layer[] = [];
    for (let at = 0; at < LAYERS; at += 1) layers.push(await put(layout, randomFillSync(random)));
    shared.push(...layers.slice(0, -1));
    contents.push(await image(layout, `registry.example.com/bench/image-${nth}:1`, layers));
  }
  const content = joined(contents);
  const bytes = images * LAYERS * LAYER;

  const pair = newKeyPair();
  const list = newKeyList({
    add: [createPublicKey(pair.publicKey)],
    revoke: [],
    threshold: 1,
    from: new Date(0),
    until: new Date('2100-01-01T00:00:00Z'),
  });
  const shape = {
    name: 'bench',
    release: '0.0.0',
    createdAt: NOW.toISOString(),
    made: 'of-local-builds',
    packBytes: 256 * MIB,
    lists: [],
  } as const;
  const keys = [createPrivateKey(pair.privateKey)];
  const least = { sha256: Infinity, disk: Infinity, create: Infinity, verify: Infinity, import: Infinity };
  const note = async (what: keyof typeof least, act: () => unknown): Promise<void> => {
    least[what] = Math.min(least[what], await timed(act));
  };
  const round = async (nth: number) => {
    say(`round ${nth} of ${ROUNDS}`);
    const folder = join(work, `bundle-${nth}`);
    await note('sha256', () => hashed(random, bytes));
    await note('disk', () => written(random, bytes));
    await note('create', () => createBundle(folder, { ...shape, content, keys }));
    const bundle = await openBundle(folder, { pinned: list, at: NOW });
    await note('verify', async () => {
      const { faults } = await verifyPacks(bundle);
      if (faults.length > 0) throw new Error(faults[0]?.message);
    });
    const { url, data, stop } = await registry(`ours-${nth}`);
    const client = new Registry({ url });
    ended.push(() => client.close());
    const plan = planImport(bundle.index);
    const looked = await preflight(bundle.index, plan, client, { store: data });
    if ('faults' in looked) throw new Error('a fault before the import');
    const journal = new Journal(join(work, 'journal'));
    await note('import', () => importBundle(bundle, plan, { registry: client, journal }));
    journal.remove();
    return { bundle, folder, url, data, stop };
  };
  let last = await round(1);
  for (let nth = 2; nth <= ROUNDS; nth += 1) {
    last.stop();
    for (const each of [last.folder, last.data]) await rm(each, { recursive: true });
    last = await round(nth);
  }
  const { bundle, url, data } = last;
  const fresh = await put(layout, randomFillSync(random));
  const next = joined([
    await image(layout, 'registry.example.com/bench/image-0:2', [...shared.slice(0, LAYERS - 1), fresh]),
    ...contents.slice(1),
  ]);
  const since = sinceIndex(bundle.index, bundle.digest);
  const deltaFolder = join(work, 'delta');
  await createBundle(deltaFolder, { ...shape, content: next, keys, since });
  const carried = await sizeOf(deltaFolder);

  const peer = await skopeo(content, url);
  const [sha256, disk] = [rate(bytes, least.sha256), rate(bytes, least.disk)];
  // What is verified lies in memory here, and is read from no disk.
  const result = (time: number, limit: number) => ({
    seconds: seconds(time),
    MBps: rate(bytes, time),
    ratioToSha256: ratio(rate(bytes, time), sha256),
    ratioToLimit: ratio(rate(bytes, time), limit),
  });
  const slower = Math.min(sha256, disk);
  return {
    name: 'bundle',
    bytes,
    sha256MBps: sha256,
    diskMBps: disk,
    create: result(least.create, slower),
    verify: result(least.verify, sha256),
    import: { ...result(least.import, slower), ratioToSkopeo: peer === null ? null : ratio(peer, least.import) },
    delta: { bytes: carried, ratioToLayers: ratio(carried, LAYER) },
    peakMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    diskRatio: ratio(await sizeOf(data), bytes),
  };
}

interface Layer {
  readonly digest: string;
  readonly size: number;
}

async function put(layout: string, bytes: Buffer): Promise<Layer> {
  const digest = digestOf(bytes);
  await writeFile(join(layout, 'blobs/sha256', hexOf(digest)), bytes);
  return { digest, size: bytes.length };
}

async function image(layout: string, name: string, layers: readonly Layer[]): Promise<Content> {
  const diffs = layers.map(({ digest }) => digest);
  const settings = { architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: diffs } };
  const config = await put(layout, Buffer.from(JSON.stringify({ ...settings, author: name })));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config: { mediaType: `${OCI}.config.v1+json`, ...config },
      layers: layers.map((layer) => ({ mediaType: `${OCI}.layer.v1.tar`, ...layer })),
    }),
  );
  await put(layout, manifest);
  return imageContent(ociLayout(layout), { name, digest: digestOf(manifest) });
}

interface BenchRegistry {
  readonly url: string;
  readonly data: string;
  readonly stop: () => void;
}

async function registry(name: string): Promise<BenchRegistry> {
  const { path } = await resolveTool('registry', silent);
  const data = join(work, name);
  await mkdir(data);
  const port = await freePort();
  const settings = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: data } },
    http: { addr: `127.0.0.1:${port}` },
  };
  await writeFile(`${data}.json`, JSON.stringify(settings));
  const child = spawn(path, ['serve', `${data}.json`], {
    stdio: 'ignore',
    env: { ...process.env, OTEL_TRACES_EXPORTER: 'none' },
  });
  const stop = (): void => void child.kill('SIGKILL');
  ended.push(stop);
  const url = `http://127.0.0.1:${port}`;
  for (let tried = 0; ; tried += 1) {
    if ((await fetch(`${url}/v2/`).catch(() => undefined))?.ok === true) return { url, data, stop };
    if (tried > 200) throw new Error('the registry does not answer');
    await delay(50);
  }
}

/** The least milliseconds that skopeo takes for the same images, from one registry to another; null where there is none. */
async function skopeo(content: Content, from: string): Promise<number | null> {
  const path = await tryWhich('skopeo');
  if (path === undefined) return null;
  say('skopeo copy');
  const policy = join(work, 'policy.json');
  await writeFile(policy, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }));
  let least = Infinity;
  for (let nth = 1; nth <= ROUNDS; nth += 1) {
    const { url, data, stop } = await registry(`theirs-${nth}`);
    const time = await timed(async () => {
      for (const { name } of content.items) {
        const [source, target] = [from, url].map((each) => `docker://${each.slice('http://'.length)}/${name}`);
        const args = ['--policy', policy, 'copy', '--quiet', '--src-tls-verify=false', '--dest-tls-verify=false'];
        const { code, stderr } = await run(path, [...args, source ?? '', target ?? '']);
        if (code !== 0) throw new Error(stderr);
      }
    });
    least = Math.min(least, time);
    stop();
    await rm(data, { recursive: true });
  }
  return least;
}

function hashed(piece: Buffer, bytes: number): void {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes; at += MIB) hash.update(piece.subarray(at % LAYER, (at % LAYER) + MIB));
  hash.digest();
}

/** The same bytes into one file, until the disk has them. */
async function written(piece: Buffer, bytes: number): Promise<void> {
  const path = join(work, 'disk');
  const file = await open(path, 'wx');
  for (let at = 0; at < bytes; at += MIB) await file.write(piece, at % LAYER, MIB);
  await file.sync();
  await file.close();
  await rm(path);
}

async function timed(act: () => unknown): Promise<number> {
  const started = performance.now();
  await act();
  return performance.now() - started;
}

async function sizeOf(folder: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) sum += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return sum;
}

// Functions, and no constants: the measurement above has begun when these lines are read.
function rate(bytes: number, milliseconds: number): number {
  return Math.round(bytes / 1e6 / (milliseconds / 1000));
}

function ratio(ours: number, theirs: number): number {
  return Math.round((ours / theirs) * 1000) / 1000;
}
