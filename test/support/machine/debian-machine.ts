import { type ChildProcess, spawn } from 'node:child_process';
import { access, cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureOsPackages } from '@delos/cluster';
import { DEFAULT_INSTANCE, instancePaths, silent } from '@delos/core';
import { type CommandResult, execute, expectOk } from '../../../peers/src/command.ts';
import { unpackedDebian } from '../debian/unpacked.ts';
import { until } from '../until.ts';

/** A Debian with systemd and sshd in namespaces of its own, without a way out. Its clients are on this machine. */
export interface DebianMachine {
  readonly address: string;
  /** Its root folder, as this machine sees it. */
  readonly root: string;
  readonly keyFile: string;
  readonly hostKey: string;
  /** Runs a line of the shell there, by ssh. */
  readonly run: (line: string) => Promise<CommandResult>;
  /** @returns stdout @throws Error when the exit code is not 0 */
  readonly ok: (line: string) => Promise<string>;
  /** Turned off at once, and on again. */
  readonly powerCycle: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

const PACKAGES = [
  ...['systemd', 'systemd-sysv', 'dbus', 'ca-certificates', 'iproute2', 'nftables', 'openssh-server', 'python3'],
  ...['cloud-init'],
];
const READY_SECONDS = 120;
let machines = 0;

/** @param prepare called before its first start with its root folder and address; what it gives is cloud-init's user data */
export async function debianMachine(
  prepare?: (root: string, address: string) => Promise<string>,
): Promise<DebianMachine> {
  const base = await debianFolder('debian-machine-1', PACKAGES);
  const nspawn = await unpackedDebian({
    name: 'systemd-container',
    packages: () => ['systemd-container'],
    libraries: /^libsystemd-shared$/,
  });
  const folder = await mkdtemp(join(tmpdir(), 'delos-machine-'));
  const root = join(folder, 'root');
  await expectOk(execute(['cp', '-a', '--reflink=auto', base, root], { timeout: 300 }));
  const keyFile = join(folder, 'key');
  await expectOk(execute(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', keyFile]));
  await mkdir(join(root, 'root/.ssh'), { mode: 0o700, recursive: true });
  await cp(`${keyFile}.pub`, join(root, 'root/.ssh/authorized_keys'));
  machines += 1;
  const name = `dm${process.pid % 100_000}x${machines}`;
  const [here, address] = addresses(process.pid * 4 + machines);
  if (prepare === undefined) await writeFile(join(root, 'etc/cloud/cloud-init.disabled'), '');
  else await seed(root, await prepare(root, address));
  await network(name, here, address);
  const library = join(nspawn.root, 'usr/lib/x86_64-linux-gnu/systemd');
  const env = { ...process.env, LD_LIBRARY_PATH: `${library}:${nspawn.env.LD_LIBRARY_PATH ?? ''}` };
  const args = [
    ...['-D', root, '--boot', `--network-namespace-path=/run/netns/${name}`, '--capability=CAP_NET_ADMIN'],
    ...['--keep-unit', '--register=no', `--machine=${name}`],
  ];
  let child: ChildProcess | undefined;
  const on = async (): Promise<void> => {
    child = spawn(join(nspawn.root, 'usr/bin/systemd-nspawn'), args, { env, stdio: 'ignore', detached: true });
    await until(`${name} to take ssh`, READY_SECONDS, async () => ((await run('true')).code === 0 ? true : undefined));
  };
  const off = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child?.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    // What runs inside does not end with it at once.
    await until(`${name} to be off`, 60, async () => {
      const left = (await expectOk(execute(['ip', 'netns', 'pids', name]))).split('\n').filter((pid) => pid !== '');
      for (const pid of left) await execute(['kill', '-9', pid]);
      return left.length === 0 ? true : undefined;
    });
  };
  const known = join(folder, 'known_hosts');
  const run = (line: string): Promise<CommandResult> =>
    execute(
      [
        ...['ssh', '-i', keyFile, '-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${known}`],
        ...['-o', 'LogLevel=ERROR', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=5', `root@${address}`, line],
      ],
      { input: '', timeout: 120 },
    );
  const stop = async (): Promise<void> => {
    await off();
    await execute(['ip', 'netns', 'delete', name]);
    await execute(['ip', 'link', 'delete', name]);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await on();
    const hostKey = (await readFile(join(root, 'etc/ssh/ssh_host_ed25519_key.pub'), 'utf8')).trim();
    const ok = (line: string): Promise<string> => expectOk(run(line));
    const powerCycle = async (): Promise<void> => {
      await off();
      await on();
    };
    return { address, root, keyFile, hostKey, run, ok, powerCycle, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function seed(root: string, userData: string): Promise<void> {
  const folder = join(root, 'var/lib/cloud/seed/nocloud');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'meta-data'), 'instance-id: test\n');
  // The network is there already, and so small a Debian has no locales.
  await writeFile(
    join(root, 'etc/cloud/cloud.cfg.d/99-test.cfg'),
    'network: {config: disabled}\nssh_deletekeys: false\nlocale: false\n',
  );
  await writeFile(join(folder, 'user-data'), userData, { mode: 0o600 });
}

/** Two addresses of one network of four, of which there are 2^14 for tests. */
function addresses(nth: number): readonly [string, string] {
  const at = (nth % 2 ** 14) * 4;
  return [1, 2].map((host) => `10.231.${at >> 8}.${(at & 255) + host}`) as [string, string];
}

async function network(name: string, here: string, there: string): Promise<void> {
  const ip = (...args: readonly string[]): Promise<string> => expectOk(execute(['ip', ...args]));
  await ip('netns', 'add', name);
  await ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'host0', 'netns', name);
  await ip('address', 'add', `${here}/30`, 'dev', name);
  await ip('link', 'set', name, 'up');
  await ip('-n', name, 'address', 'add', `${there}/30`, 'dev', 'host0');
  await ip('-n', name, 'link', 'set', 'lo', 'up');
  await ip('-n', name, 'link', 'set', 'host0', 'up');
}

/** A Debian with these packages, as mmdebstrap makes it from this machine's package mirrors; made once a cache. */
export async function debianFolder(name: string, packages: readonly string[]): Promise<string> {
  const { cache } = instancePaths(DEFAULT_INSTANCE, process.env);
  const folder = join(cache, 'test', name);
  if (await isThere(folder)) return folder;
  await ensureOsPackages('images', silent);
  await mkdir(join(folder, '..'), { recursive: true });
  const work = await mkdtemp(`${folder}.new-`);
  try {
    const sources = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list'];
    const [source = ''] = (
      await Promise.all(sources.map(async (path) => ((await isThere(path)) ? [path] : [])))
    ).flat();
    const root = join(work, 'root');
    await expectOk(
      execute(
        [
          ...['unshare', '--mount', 'mmdebstrap', '--variant=minbase', `--include=${packages.join(',')}`],
          ...['--aptopt=APT::Sandbox::User "root"', '--dpkgopt=path-exclude=/usr/share/doc/*'],
          ...['bookworm', root, source],
        ],
        { timeout: 900, input: '', env: { ...process.env, TMPDIR: work } },
      ),
    );
    await rename(root, folder).catch(async (error: unknown) => {
      // Another run was faster.
      if (!(await isThere(folder))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
