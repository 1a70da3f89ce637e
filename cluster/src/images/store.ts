import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DelosError, type InstancePaths } from '@delos/core';
import { freePort, spawnGuarded, writeIfChanged } from '@delos/host';
import { z } from 'zod';

/*
 * The mirror store is the storage of a distribution registry (docker/registry/v2 below it). It is read here as files,
 * so that a look costs milliseconds, and written through a registry process that lives for that time on loopback.
 */

const descriptor = z.object({ digest: z.string().regex(/^sha256:[0-9a-f]{64}$/), size: z.number().int() });
const manifestSchema = z.object({ config: descriptor, layers: z.array(descriptor) });
const configSchema = z.object({
  config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
});

export interface StoredImage {
  readonly digest: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Compressed, in bytes. */
  readonly size: number;
}

/** Folder of the store that all instances share. */
export function mirrorStore(paths: Pick<InstancePaths, 'cache'>): string {
  return join(paths.cache, 'images/store');
}

/** An image of the store, when it is whole: its manifest and every blob, each of the right size. */
export async function tryStored(store: string, repository: string, tag: string): Promise<StoredImage | undefined> {
  const base = join(store, 'docker/registry/v2');
  const blob = (digest: string): string => {
    const hex = digest.slice('sha256:'.length);
    return join(base, 'blobs/sha256', hex.slice(0, 2), hex, 'data');
  };
  const folder = join(base, 'repositories', repository);
  try {
    const digest = (await readFile(join(folder, '_manifests/tags', tag, 'current/link'), 'utf8')).trim();
    const text = await readFile(blob(digest));
    if (`sha256:${createHash('sha256').update(text).digest('hex')}` !== digest) return undefined;
    const manifest = manifestSchema.parse(JSON.parse(text.toString('utf8')));
    let size = 0;
    for (const part of [manifest.config, ...manifest.layers]) {
      if ((await stat(blob(part.digest))).size !== part.size) return undefined;
      await stat(join(folder, '_layers/sha256', part.digest.slice('sha256:'.length), 'link'));
      size += part.size;
    }
    const config = configSchema.parse(JSON.parse(await readFile(blob(manifest.config.digest), 'utf8')));
    return { digest, size, labels: config.config?.Labels ?? {} };
  } catch {
    return undefined;
  }
}

/**
 * Removes what killed pushes have left: uploads that nobody ends, and blobs of the image whose size is not the one that its manifest says. A registry takes a blob that is there
 * for a whole one, and would not let it be sent again.
 */
export async function dropDamaged(store: string, repository: string, tag: string): Promise<void> {
  const base = join(store, 'docker/registry/v2');
  const folder = (digest: string): string => join(base, 'blobs/sha256', digest.slice(7, 9), digest.slice(7));
  const link = join(base, 'repositories', repository, '_manifests/tags', tag, 'current/link');
  await rm(join(base, 'repositories', repository, '_uploads'), { recursive: true, force: true });
  const digest = await readFile(link, 'utf8').catch(() => undefined);
  if (digest === undefined) return;
  const text = await readFile(join(folder(digest.trim()), 'data'), 'utf8').catch(() => '');
  const manifest = manifestSchema.safeParse(tryJson(text));
  if (!manifest.success) {
    await rm(folder(digest.trim()), { recursive: true, force: true });
    return;
  }
  for (const part of [manifest.data.config, ...manifest.data.layers]) {
    const found = await stat(join(folder(part.digest), 'data')).catch(() => undefined);
    if (found?.size !== part.size) await rm(folder(part.digest), { recursive: true, force: true });
  }
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Runs `work` while a registry serves the store, writable, on a free loopback port. */
export async function withRegistry<T>(
  registry: string,
  store: string,
  work: (endpoint: string) => Promise<T>,
): Promise<T> {
  await mkdir(store, { recursive: true });
  const port = await freePort();
  // The registry reads YAML, of which JSON is a part. The file is the same for every run; the port comes by environment.
  const config = join(store, 'registry.json');
  const settings = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: store }, delete: { enabled: true } },
    http: { addr: '127.0.0.1:0' },
  };
  writeIfChanged(config, JSON.stringify(settings), 0o644);
  const { child, kill } = spawnGuarded(registry, ['serve', config], {
    stdout: 'ignore',
    env: { ...process.env, OTEL_TRACES_EXPORTER: 'none', REGISTRY_HTTP_ADDR: `127.0.0.1:${port}` },
  });
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  try {
    await answering(child, `127.0.0.1:${port}`, () => complaint);
    return await work(`127.0.0.1:${port}`);
  } finally {
    // Every push was answered, so that what is stored is stored: there is nothing to wait for.
    kill();
  }
}

async function answering(child: ChildProcess, endpoint: string, complaint: () => string): Promise<void> {
  const limit = performance.now() + 20_000;
  let failed: Error | undefined;
  child.once('error', (error) => {
    failed = error;
  });
  for (;;) {
    const up = await fetch(`http://${endpoint}/v2/`, { signal: AbortSignal.timeout(2000) }).then(
      ({ ok }) => ok,
      () => false,
    );
    if (up) return;
    if (failed !== undefined || child.exitCode !== null || performance.now() > limit) {
      throw new DelosError(
        'ERR_IMAGE_BUILD',
        `the registry for the image store does not answer on ${endpoint}: ${failed?.message ?? complaint().trim().split('\n').at(-1) ?? 'no message'}`,
        { hint: 'run this again; if it stays so, look at the free disk space of the cache' },
      );
    }
    await delay(50);
  }
}
