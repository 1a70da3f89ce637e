import { isDelosError, type PlatformConfig, POOL_LABEL } from '@delos/core';
import type { KubeletConfig } from '../cluster-client.ts';
import type { EngineOptions } from '../engine.ts';
import { existingEngine } from '../existing.ts';
import { type Check, check } from './check.ts';

/** The oldest Kubernetes whose API the platform's objects need: ValidatingAdmissionPolicy v1. */
const LEAST = { major: 1, minor: 30 };

/**
 * What an existing cluster must bring: an API server that answers, new enough, with volumes and nodes for each pool.
 */
export async function clusterChecks(
  config: PlatformConfig,
  options: EngineOptions,
  apart: number,
): Promise<readonly Check[]> {
  const engine = existingEngine(config, options);
  const needed = 'an API server that answers';
  try {
    const [status, { storageClass, diskClass, lacksUserNamespaces }] = [await engine.status(), await engine.handle()];
    const measured = `${status?.server ?? ''}, Kubernetes ${status?.version ?? ''}`;
    return [
      check('cluster.reachable', true, { measured, needed, fix: '' }),
      versionCheck(status?.version ?? ''),
      storageCheck(storageClass),
      disksCheck(diskClass),
      ...mirrorsChecks(config),
      ...(config.cluster.userNamespaces ? [usersCheck(lacksUserNamespaces)] : []),
      ...poolChecks(config, status?.nodes ?? []),
      ...lostNodeChecks(config, { nodes: (status?.nodes ?? []).filter(({ ready }) => ready).length, apart }),
      pidsCheck(await engine.kubeletConfigs(ASKED_NODES)),
      socketsCheck((status?.nodes ?? []).map(({ name, runtime }) => ({ name, runtime: runtime ?? '' }))),
    ];
  } catch (error) {
    if (!isDelosError(error)) throw error;
    const { code, message, hint } = error;
    return [check('cluster.reachable', false, { code, measured: message, needed, fix: hint ?? '' })];
  }
}

/** Which mirrors a node asks is a setting of the node. It cannot be read from here. */
function mirrorsChecks({ images }: PlatformConfig): readonly Check[] {
  if (images.mirrors.length === 0) return [];
  return [
    check('nodes.mirrors', false, {
      fatal: false,
      measured: 'images.mirrors, which nodes of an existing cluster do not read',
      needed: 'mirrors in the configuration of each node',
      fix: 'write them to /etc/containerd/certs.d on each node (containerd: hosts.toml), and take images.mirrors out of delos.yaml',
    }),
  ];
}

/** @param version as the API server tells it, e.g. `v1.34.4+k3s1` */
export function versionCheck(version: string): Check {
  const [, major = '0', minor = '0'] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  const enough = Number(major) > LEAST.major || (Number(major) === LEAST.major && Number(minor) >= LEAST.minor);
  return check('cluster.version', enough, {
    measured: `Kubernetes ${version}`,
    needed: `Kubernetes ${LEAST.major}.${LEAST.minor} or later`,
    fix: 'upgrade the cluster, or use cluster.engine: embedded',
  });
}

function storageCheck(storageClass: string | undefined): Check {
  return check('cluster.storage', storageClass !== undefined, {
    measured: storageClass === undefined ? 'no StorageClass is marked as default' : `StorageClass ${storageClass}`,
    needed: 'a StorageClass for the platform’s volumes',
    fix: 'set cluster.storageClass in delos.yaml to one of: kubectl get storageclass',
  });
}

/** Without one the platform works, but for users' disks. */
export function disksCheck(diskClass: string | undefined): Check {
  return check('cluster.disks', diskClass !== undefined, {
    fatal: false,
    measured: diskClass === undefined ? 'no StorageClass is marked as default' : `StorageClass ${diskClass}`,
    needed: 'a StorageClass for disks of users, whose volumes outlive their Pods',
    fix: 'set disks.storageClass in delos.yaml to one of: kubectl get storageclass',
  });
}

/** Without them the platform's Pods run as high users of the node itself, which is weaker, and works. */
function usersCheck(lacks: readonly string[]): Check {
  const [first = '', ...more] = lacks;
  return check('cluster.users', lacks.length === 0, {
    fatal: false,
    measured:
      lacks.length === 0 ? 'user namespaces' : `${first}${more.length === 0 ? '' : ` (and ${more.length} more)`}`,
    needed: 'user namespaces on every node, so that no user of a node is a user of the platform’s Pods',
    fix: 'run Kubernetes 1.33 or later, containerd 2.0 or later (or CRI-O) and Linux 6.3 or later on all nodes; or set cluster.userNamespaces: false in delos.yaml to do without',
  });
}

/** Nodes that are asked: in a large cluster the first ones tell. */
export const ASKED_NODES = 20;

/**
 * Whether a job's processes are bounded: a node's setting, which no Pod can make for itself.
 * @param kubelets by node; undefined where the node could not be asked
 */
export function pidsCheck(kubelets: ReadonlyMap<string, KubeletConfig | undefined>): Check {
  const names = (wanted: (found: KubeletConfig | undefined) => boolean): readonly string[] =>
    [...kubelets].filter(([, found]) => wanted(found)).map(([name]) => name);
  const list = (found: readonly string[]): string =>
    `${found.slice(0, 3).join(', ')}${found.length > 3 ? ` and ${found.length - 3} more` : ''}`;
  const open = names((found) => found !== undefined && found.podPidsLimit <= 0);
  const silent = names((found) => found === undefined);
  const measured =
    open.length > 0
      ? `no limit on ${list(open)}`
      : silent.length > 0
        ? `${list(silent)} did not tell`
        : 'each node has a limit';
  return check('nodes.pids', open.length + silent.length === 0, {
    fatal: false,
    measured,
    needed: 'a limit to the processes of a Pod on each node, or one job can use up a node’s',
    fix: 'set podPidsLimit: 4096 in the kubelet’s configuration of each node (kubelet --config FILE), and restart the kubelet',
  });
}

/**
 * Whether the runtime's default seccomp profile keeps AF_VSOCK from jobs. containerd's does from 1.7 on.
 * @see https://github.com/containerd/containerd/pull/7510
 * @param nodes with their runtime as the Node object tells it, e.g. `containerd://1.7.27`
 */
export function socketsCheck(nodes: readonly { readonly name: string; readonly runtime: string }[]): Check {
  const open = nodes.filter(({ runtime }) => {
    const [, major = '', minor = ''] = /^containerd:\/\/v?(\d+)\.(\d+)/.exec(runtime) ?? [];
    return major === '1' && Number(minor) < 7;
  });
  const first = open[0];
  return check('nodes.sockets', first === undefined, {
    fatal: false,
    measured:
      first === undefined
        ? 'no runtime is known to let jobs open AF_VSOCK sockets'
        : `${first.runtime} on ${first.name}${open.length > 1 ? ` and ${open.length - 1} more` : ''}`,
    needed:
      'containerd 1.7 or later: the default seccomp profile of earlier ones lets a job reach the hypervisor by AF_VSOCK',
    fix: 'upgrade containerd on these nodes',
  });
}

/**
 * With fewer nodes, a Pod of a service would wait for ever.
 * @param apart Pods of one service, each of which needs a node of its own
 * @param more how this engine gets a further node
 */
export function lostNodeChecks(
  { profile }: Pick<PlatformConfig, 'profile'>,
  { nodes, apart }: { readonly nodes: number; readonly apart: number },
  more = 'add a node to the cluster',
): readonly Check[] {
  if (profile !== 'ha') return [];
  return [
    check('nodes.ha', nodes >= apart, {
      measured: `${nodes} ${nodes === 1 ? 'node' : 'nodes'}`,
      needed: `${apart} nodes or more for profile: ha, which runs no two Pods of a service on one`,
      fix: `${more}, or set profile: medium in delos.yaml`,
    }),
  ];
}

/** A pool without a ready node is no obstacle to the platform, but its jobs will wait. */
function poolChecks(
  config: PlatformConfig,
  nodes: readonly { readonly ready: boolean; readonly pool: string | undefined }[],
): readonly Check[] {
  const only = config.nodePools.length === 1;
  return config.nodePools
    .filter(({ minSize }) => minSize > 0)
    .map(({ name }) => {
      const found = nodes.filter(({ ready, pool }) => ready && (pool === name || (only && pool === undefined))).length;
      return check(`pool.${name}`, found > 0, {
        fatal: false,
        measured: `${found} ready nodes`,
        needed: `a ready node of pool ${name}, since its jobs wait otherwise`,
        fix: `kubectl label node NODE ${POOL_LABEL}=${name}`,
      });
    });
}
