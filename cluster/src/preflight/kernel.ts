import { existsSync, readFileSync } from 'node:fs';
import { tryCommand } from '@delos/host';
import { cgroupVersion } from '../embedded/node/cgroups.ts';
import { type Check, check } from './check.ts';

/*
 * Each feature is used for real, in namespaces that end with the command: what a file says about a kernel and what a
 * container or a hardened machine lets one do are two things.
 */
const PROBE = `
try() { name=$1; shift; if message=$("$@" 2>&1); then echo "$name ok"; else echo "$name $(echo "$message" | tr '\\n' ' ')"; fi; }
echo namespaces ok
try veth ip link add delos0 type veth peer name delos1
try nftables nft 'add table inet delos; add chain inet delos c { type filter hook input priority 0; }; add rule inet delos c fib saddr . iif oif missing drop'
mount -t tmpfs tmpfs /tmp 2>/dev/null && mkdir /tmp/l /tmp/u /tmp/w /tmp/m /tmp/d
try overlay mount -t overlay -o lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w overlay /tmp/m
try loop sh -c 'truncate -s 4M /tmp/disk && mkfs.ext4 -q -F /tmp/disk && mount -o loop /tmp/disk /tmp/d'
umount /tmp/d 2>/dev/null
`;

/** What to do where a feature is missing. */
const FEATURES: Readonly<Record<string, string>> = {
  namespaces: 'run on a machine or in a container that may make network, mount and PID namespaces (CAP_SYS_ADMIN)',
  veth: 'load the module: modprobe veth',
  nftables: 'install nftables and load its modules: modprobe nf_tables nft_fib_inet',
  overlay: 'load the module: modprobe overlay',
  loop: 'load the modules: modprobe loop ext4; a container must be given /dev/loop-control and the loop devices',
};

/** Features that only some of what the platform does needs: what works without them. */
const OPTIONAL: Readonly<Record<string, string>> = { loop: 'works, if jobs are to have disks' };

/** The Debian package whose command tries a feature, where that is no essential one. */
const TRIED_BY: Readonly<Record<string, string>> = {
  namespaces: 'util-linux',
  veth: 'iproute2',
  nftables: 'nftables',
  loop: 'e2fsprogs',
};

/** What the kernel and this machine's limits really let one do, by feature. */
async function probe(): Promise<ReadonlyMap<string, string>> {
  const flags = ['--net', '--mount', '--pid', '--fork', '--propagation', 'private'];
  const result = await tryCommand('unshare', [...flags, 'sh', '-c', PROBE], { timeout: 10_000 });
  const found = new Map<string, string>();
  for (const line of result.stdout.split('\n')) {
    const space = line.indexOf(' ');
    if (space > 0) found.set(line.slice(0, space), line.slice(space + 1).trim());
  }
  if (!found.has('namespaces')) found.set('namespaces', result.stderr.trim().split('\n')[0] ?? 'refused');
  return found;
}

/**
 * @param awaited packages that `up` is about to install: what they try cannot be told yet, so it stops nobody; `up`
 *   looks again once they are there
 * @param found what was tried: `ok` or what was said, by feature
 */
export async function kernelChecks(
  awaited: readonly string[] = [],
  found?: ReadonlyMap<string, string>,
): Promise<readonly Check[]> {
  const tried = found ?? (await probe());
  const features = Object.entries(FEATURES).map(([name, fix]) => {
    const tool = TRIED_BY[name];
    const needed = OPTIONAL[name] ?? 'works';
    if (tool !== undefined && awaited.includes(tool)) {
      return check(`kernel.${name}`, false, {
        fatal: false,
        measured: `not tried: ${tool} is not installed yet`,
        needed,
        fix: 'nothing: `up` installs it and looks again',
      });
    }
    const said = tried.get(name) ?? 'not tried, since namespaces cannot be made';
    return check(`kernel.${name}`, said === 'ok', {
      fatal: !(name in OPTIONAL),
      measured: said === 'ok' ? 'works' : said,
      needed,
      fix,
    });
  });
  return [...features, cgroupCheck()];
}

function cgroupCheck(): Check {
  const version = cgroupVersion();
  const needed = version === 2 ? ['cpu', 'memory', 'pids', 'cpuset'] : ['cpu', 'memory', 'pids', 'cpuset', 'devices'];
  const there =
    version === 2
      ? readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(/\s+/)
      : needed.filter((name) => existsSync(`/sys/fs/cgroup/${name}/tasks`));
  const missing = needed.filter((name) => !there.includes(name));
  return check('kernel.cgroup', missing.length === 0, {
    measured: missing.length === 0 ? `v${version}` : `v${version} without ${missing.join(', ')}`,
    needed: `controllers ${needed.join(', ')}`,
    fix: 'mount the cgroup hierarchies (on Debian: the default), or enable the controllers on the kernel command line',
  });
}
