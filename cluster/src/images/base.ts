import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DelosError, type Progress } from '@delos/core';
import { run } from '@delos/host';
import { ensureOsPackages } from '../toolchain/index.ts';
import type { ImageBuilder } from './builder.ts';
import { copySources, type Debian } from './machine.ts';
import { registryReachable } from './reach.ts';

const FALLBACK = 'bookworm';
/**
 * Manual pages and translations are of no use in a container; licences stay. The hook removes what is mmdebstrap's own.
 */
const ARGUMENTS = [
  '--variant=minbase',
  '--include=ca-certificates',
  '--aptopt=Acquire::Languages "none"',
  '--aptopt=APT::Sandbox::User "root"',
  '--dpkgopt=path-exclude=/usr/share/man/*',
  '--dpkgopt=path-exclude=/usr/share/info/*',
  '--dpkgopt=path-exclude=/usr/share/locale/*',
  '--dpkgopt=path-exclude=/usr/share/doc/*',
  '--dpkgopt=path-include=/usr/share/doc/*/copyright',
  '--customize-hook=rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap"',
];

/** How the base is made, as text; a part of the tag of all that is built on it. */
export const BASE_RECIPE = ARGUMENTS.join(' ');

export interface BaseImage {
  /** Local name, for build arguments. */
  readonly name: string;
  /** What it is, for the label of what is built on it. */
  readonly title: string;
}

/**
 * The Debian that the images stand on: the published one where it can be pulled, else one that mmdebstrap makes from
 * this machine's package mirrors.
 * @throws DelosError ERR_IMAGE_BUILD
 */
export async function ensureBase(
  builder: ImageBuilder,
  options: { readonly images: string; readonly work: string; readonly machine: string; readonly key: string },
  debian: Debian | undefined,
  progress: Progress,
): Promise<BaseImage> {
  const codename = debian?.codename ?? FALLBACK;
  const published = `docker.io/library/debian:${codename}-slim`;
  const pulled = `localhost/delos/base-pulled:${codename}-${options.key}`;
  const made = `localhost/delos/base-made:${codename}-${options.key}`;
  const title = debian?.title ?? 'Debian 12 (bookworm)';
  if (await builder.has(pulled)) return { name: pulled, title };
  if (await builder.has(made)) return { name: made, title: `${title}, made by mmdebstrap` };
  if (await registryReachable('docker.io')) {
    progress.step(`pulling ${published}`);
    if (await builder.tryPull(published, pulled)) return { name: pulled, title };
  }
  if (debian === undefined) {
    throw new DelosError(
      'ERR_IMAGE_BUILD',
      `${published} cannot be pulled, and this machine is no Debian from which one could be made`,
      {
        hint: 'let this machine reach docker.io, or build on Debian 12 or later',
      },
    );
  }
  await ensureOsPackages('images', progress);
  await bootstrap(options.work, debian, progress);
  const request = {
    folder: join(options.images, 'base'),
    context: options.work,
    machine: options.machine,
    args: {},
    labels: { 'org.opencontainers.image.title': 'delos base' },
    name: made,
  };
  await builder.build(request, progress);
  await rm(join(options.work, 'rootfs.tar'), { force: true });
  return { name: made, title: `${title}, made by mmdebstrap` };
}

async function bootstrap(work: string, debian: Debian, progress: Progress): Promise<void> {
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  const sources = await copySources(join(work, 'sources'), debian.codename);
  if (sources.length === 0) {
    throw new DelosError('ERR_IMAGE_BUILD', `apt has no sources for ${debian.codename} on this machine`, {
      hint: 'give /etc/apt/sources.list.d the mirror of this release, then run this again',
    });
  }
  const from = performance.now();
  await mkdir(join(work, 'tmp'));
  const { code, stderr } = await run(
    // Its mounts lie in a namespace that ends with it, and what a killed one left lies in the work folder.
    'unshare',
    ['--mount', 'mmdebstrap', ...ARGUMENTS, debian.codename, join(work, 'rootfs.tar'), ...sources],
    {
      limitSeconds: 1200,
      env: { ...process.env, TMPDIR: join(work, 'tmp') },
      onLine: (line) =>
        progress.step(`base image: ${line.slice(0, 100)} (${Math.round((performance.now() - from) / 1000)} s)`),
    },
  );
  if (code === 0) return;
  const why = stderr.split('\n').find((line) => /^E:/.test(line)) ?? stderr.trim().split('\n').at(-1) ?? 'no message';
  throw new DelosError('ERR_IMAGE_BUILD', `mmdebstrap could not make a ${debian.codename}: ${why}`, {
    hint: 'check that apt works here: apt-get update',
    data: { stderr: stderr.slice(-2000) },
  });
}
