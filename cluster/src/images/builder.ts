import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DelosError, type Progress } from '@delos/core';
import { run, tryWhich } from '@delos/host';
import { ensureOsPackages } from '../toolchain/index.ts';

export interface BuildRequest {
  /** Folder with the Containerfile. */
  readonly folder: string;
  /** Build context; the Containerfile copies from here. */
  readonly context: string;
  /** Build context `machine`. */
  readonly machine: string;
  readonly args: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Local name of the result. */
  readonly name: string;
  /** A layer for each step, with file times of 1970: the same files make the same layer. @default one layer */
  readonly layered?: boolean;
}

/** A program that builds images and keeps them under local names. */
export interface ImageBuilder {
  readonly kind: 'buildah' | 'podman' | 'docker';
  build(request: BuildRequest, progress: Progress): Promise<void>;
  has(name: string): Promise<boolean>;
  /** False when the reference cannot be pulled from here, for whatever reason. */
  tryPull(reference: string, name: string): Promise<boolean>;
  /** Pushes to a registry on loopback, without TLS. */
  push(name: string, reference: string): Promise<void>;
  /** What killed builds left, and the results that are no longer needed. */
  clean(names: readonly string[]): Promise<void>;
}

const PULL_SECONDS = 300;
const BUILD_SECONDS = 1800;

/** buildah where it is or can be installed; else a Podman or Docker whose engine answers. */
export async function findBuilder(storage: string, progress: Progress): Promise<ImageBuilder> {
  if ((await tryWhich('buildah')) !== undefined) return buildah(storage);
  for (const engine of ['podman', 'docker'] as const) {
    const path = await tryWhich(engine);
    if (path !== undefined && (await run(path, ['info'], { limitSeconds: 20 })).code === 0) return enginesOwn(engine);
  }
  await ensureOsPackages('images', progress);
  return buildah(storage);
}

/** buildah with a storage of its own, so that nothing meets the images a person keeps. One run at a time has it. */
async function buildah(storage: string): Promise<ImageBuilder> {
  // What it would put into /var/tmp, layers among it, and leave there where it is killed.
  const temporary = join(storage, 'tmp');
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  const env = { ...process.env, TMPDIR: temporary };
  const global = ['--root', join(storage, 'root'), '--runroot', join(storage, 'run')];
  const call = (args: readonly string[], limitSeconds = 120) =>
    run('buildah', [...global, ...args], { limitSeconds, env });
  return {
    kind: 'buildah',
    async build(request, progress) {
      // chroot isolation needs neither runc nor cgroups, and works inside a container.
      const flags = ['build', '--isolation', 'chroot', '--network', 'host', '--format', 'oci', '--no-cache'];
      const layers = request.layered === true ? ['--layers', '--timestamp', '0'] : [];
      // Its mounts lie in a namespace that ends with it.
      await build('unshare', ['--mount', 'buildah', ...global, ...flags, ...layers], request, progress, env);
    },
    has: async (name) => (await call(['inspect', '--type', 'image', name])).code === 0,
    async tryPull(reference, name) {
      if ((await call(['pull', '--quiet', '--policy', 'missing', reference], PULL_SECONDS)).code !== 0) return false;
      return (await call(['tag', reference, name])).code === 0;
    },
    push: (name, reference) =>
      push(
        'buildah',
        [...global, 'push', '--quiet', '--tls-verify=false', '--compression-format', 'zstd', name],
        reference,
        env,
      ),
    async clean(names) {
      await call(['rm', '--all']);
      for (const name of names) await call(['rmi', '--force', name]);
      await call(['rmi', '--prune', '--force']);
    },
  };
}

function enginesOwn(engine: 'podman' | 'docker'): ImageBuilder {
  const call = (args: readonly string[], limitSeconds = 120) => run(engine, args, { limitSeconds });
  const insecure = engine === 'podman' ? ['--tls-verify=false'] : [];
  return {
    kind: engine,
    build: (request, progress) => build(engine, ['build', '--network', 'host', '--no-cache'], request, progress),
    has: async (name) => (await call(['image', 'inspect', name])).code === 0,
    async tryPull(reference, name) {
      if ((await call(['pull', '--quiet', reference], PULL_SECONDS)).code !== 0) return false;
      return (await call(['tag', reference, name])).code === 0;
    },
    async push(name, reference) {
      // Docker pushes by the name alone.
      if ((await call(['tag', name, reference])).code !== 0) throw pushFailed(reference, 'it cannot be tagged');
      await push(engine, ['push', ...insecure], reference);
      await call(['rmi', reference]);
    },
    async clean(names) {
      for (const name of names) await call(['rmi', '--force', name]);
    },
  };
}

async function build(
  program: string,
  flags: readonly string[],
  request: BuildRequest,
  progress: Progress,
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const what = request.folder.split('/').at(-1) ?? request.folder;
  const args = [
    ...flags,
    ...Object.entries(request.args).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]),
    ...Object.entries(request.labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
    '--build-context',
    `machine=${request.machine}`,
    '--file',
    join(request.folder, 'Containerfile'),
    '--tag',
    request.name,
    request.context,
  ];
  const from = performance.now();
  let last = '';
  const tell = (): void => progress.step(`image ${what}: ${last} (${Math.round((performance.now() - from) / 1000)} s)`);
  const ticker = setInterval(tell, 3000);
  const onLine = (line: string): void => {
    if (line.trim() !== '') last = line.trim().slice(0, 120);
  };
  const result = await run(program, args, {
    limitSeconds: BUILD_SECONDS,
    onLine,
    onOutput: onLine,
    env,
  }).finally(() => clearInterval(ticker));
  if (result.code === 0) return;
  const lines = `${result.stdout}\n${result.stderr}`.split('\n').filter((line) => line.trim() !== '');
  const telling = lines.filter((line) => /^(E|W|error|fatal|ERROR|.*: error)/i.test(line)).at(-1) ?? lines.at(-1);
  throw new DelosError(
    'ERR_IMAGE_BUILD',
    `image ${what} could not be built: ${telling?.slice(0, 300) ?? 'no message'}`,
    {
      hint: `to see it all: ${program} ${args.join(' ').slice(0, 400)}`,
      data: { image: what, code: result.code, output: lines.slice(-40) },
    },
  );
}

async function push(
  program: string,
  args: readonly string[],
  reference: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const target = program === 'buildah' ? `docker://${reference}` : reference;
  const { code, stderr } = await run(program, [...args, target], { limitSeconds: 900, env });
  if (code !== 0) throw pushFailed(reference, stderr.trim().split('\n').at(-1) ?? 'no message');
}

function pushFailed(reference: string, reason: string): DelosError {
  return new DelosError('ERR_IMAGE_BUILD', `${reference} could not be stored: ${reason.slice(0, 300)}`, {
    hint: 'check the free disk space of the cache, then run this again: it goes on with this image',
  });
}
