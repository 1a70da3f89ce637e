import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { dirname } from 'node:path';
import { type InstancePaths, isDelosError, joinOf, type PlatformConfig } from '@delos/core';
import { canBind, tryHolderOf } from '@delos/host';
import { layoutOf } from '../embedded/spec.ts';
import { tryReadHostStatus } from '../embedded/status.ts';
import { missingOsPackages } from '../toolchain/index.ts';
import { type Check, check } from './check.ts';
import { NEEDS } from './needs.ts';

const GIB = 2 ** 30;
const size = (bytes: number) => `${(bytes / GIB).toFixed(1)} GiB`;

export function rootCheck(): Check {
  const user = process.getuid?.();
  return check('user.root', user === 0, {
    code: 'ERR_NOT_ROOT',
    measured: user === 0 ? 'root' : `user id ${user}`,
    needed: 'root: the embedded engine makes namespaces, mounts and network interfaces',
    fix: 'run the same command as root (sudo), or use a cluster that is there: KUBECONFIG=… and cluster.engine: existing',
  });
}

/** Tools and images are fetched and built for x86-64 alone. */
export function platformCheck(here = { platform: platform(), arch: arch() }): Check {
  return check('machine.platform', here.platform === 'linux' && here.arch === 'x64', {
    measured: `${here.platform}/${here.arch}`,
    needed: 'linux/x64',
    fix: 'run Delos on such a machine, or on a cluster that is there: cluster.engine: existing',
  });
}

/** The nearest folder that is there: what is below it will be on the same file system. */
export function nearest(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearest(dirname(path));
}

export function diskCheck(id: string, path: string, needed: number): Check {
  const { bavail, bsize } = statfsSync(nearest(path));
  const free = bavail * bsize;
  return check(id, free >= needed, {
    code: 'ERR_DISK_SPACE',
    measured: `${size(free)} free at ${path}`,
    needed: size(needed),
    fix: `free space there, or put it elsewhere: ${id === 'disk.cache' ? 'XDG_CACHE_HOME' : 'XDG_STATE_HOME'}=/large/disk`,
  });
}

/**
 * @param running whether this instance's first node runs: what it holds is not available, and stops no further `up`
 * @param further nodes beside the first that are asked for and do not run
 */
export function memoryCheck(available: number, running: boolean, further = 0): Check {
  const more = further * NEEDS.furtherNodeBytes;
  return check('memory.least', available >= (running ? 0 : NEEDS.memoryBytes) + more, {
    measured: `${size(available)} available${running ? ', beside what this instance holds' : ''}`,
    needed: `${size(running && further > 0 ? more : NEEDS.memoryBytes + more)}${further === 0 ? '' : `, for ${further} further nodes among others`}`,
    fix: 'end other programs, or take a larger machine',
  });
}

export function availableMemory(): number {
  const text = readFileSync('/proc/meminfo', 'utf8');
  return Number(/^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
}

/** @param unreadable names of proxy settings that are no URL */
export function proxyCheck(unreadable: readonly string[]): Check {
  return check('network.proxy', unreadable.length === 0, {
    fatal: false,
    measured: unreadable.length === 0 ? 'proxy settings can be read' : `${unreadable.join(', ')} cannot be read`,
    needed: 'a URL such as http://proxy.example.com:3128 (one on loopback is relayed), or none',
    fix: 'set it right, or unset it: images would be pulled without a proxy',
  });
}

/** Ports of loopback that the embedded node's `host` process holds. */
export const ownPorts = (paths: InstancePaths): readonly number[] =>
  tryReadHostStatus(layoutOf(paths.state))
    ?.forwards.filter(({ open }) => open)
    .map(({ host }) => host) ?? [];

/** A port is fine when it is free, or when it is this instance's own already. */
export async function portChecks(config: PlatformConfig, own: readonly number[]): Promise<readonly Check[]> {
  const checks: Check[] = [];
  // A cluster that joins a platform elsewhere has no gateway.
  if (joinOf(config) !== undefined) return checks;
  for (const [name, port] of [
    ['http', config.gateway.httpPort],
    ['https', config.gateway.httpsPort],
  ] as const) {
    if (port === 0) continue;
    const free = own.includes(port) || (await canBind(port));
    const holder = free ? undefined : tryHolderOf(port);
    const who = holder === undefined ? '' : ` by process ${holder.pid} (${holder.command})`;
    checks.push(
      check(`port.${name}`, free, {
        code: 'ERR_PORT_TAKEN',
        measured: free ? `127.0.0.1:${port} is free` : `127.0.0.1:${port} is taken${who}`,
        needed: `127.0.0.1:${port}, the gateway’s`,
        fix: `end what holds it, or set gateway.${name}Port to another port (0: take a free one)`,
      }),
    );
  }
  return checks;
}

/** Names of the operating system's packages that a node needs and that are not there. */
export async function missingCommands(): Promise<readonly string[]> {
  return missingOsPackages('node').catch((error: unknown) => {
    if (isDelosError(error)) return [error.message];
    throw error;
  });
}

/** Does `up` install packages of the operating system by itself here? */
export const installsPackages = (): boolean => existsSync('/usr/bin/apt-get');

/** Packages that `up` installs by itself where it can are no more than a remark. */
export function commandCheck(missing: readonly string[]): Check {
  const apt = installsPackages();
  return check('commands.node', missing.length === 0, {
    fatal: !apt,
    code: 'ERR_TOOL_UNAVAILABLE',
    measured: missing.length === 0 ? 'all there' : `missing: ${missing.join(', ')}`,
    needed: 'containerd, runc, CNI plugins, nftables and other tools of the system',
    fix: apt ? 'nothing: `up` installs them with apt-get' : `install these packages: ${missing.join(' ')}`,
  });
}
