import { isDelosError, type PlatformConfig } from '@delos/core';
import type { EngineOptions } from '../engine.ts';
import { existingEngine } from '../existing.ts';
import { type Check, check } from './check.ts';

/** The oldest Kubernetes whose API the platform's objects need: ValidatingAdmissionPolicy v1. */
const LEAST = { major: 1, minor: 30 };

/** What an existing cluster must bring: an API server that answers, new enough, with volumes and nodes for each pool. */
export async function clusterChecks(config: PlatformConfig, options: EngineOptions): Promise<readonly Check[]> {
  const engine = existingEngine(config, options);
  const needed = 'an API server that answers';
  try {
    const [status, { storageClass, lacksUserNamespaces }] = [await engine.status(), await engine.handle()];
    const measured = `${status?.server ?? ''}, Kubernetes ${status?.version ?? ''}`;
    return [
      check('cluster.reachable', true, { measured, needed, fix: '' }),
      versionCheck(status?.version ?? ''),
      storageCheck(storageClass),
      ...(config.cluster.userNamespaces ? [usersCheck(lacksUserNamespaces)] : []),
      ...poolChecks(config, status?.nodes ?? []),
    ];
  } catch (error) {
    if (!isDelosError(error)) throw error;
    const { code, message, hint } = error;
    return [check('cluster.reachable', false, { code, measured: message, needed, fix: hint ?? '' })];
  }
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
        fix: `kubectl label node NODE delos.dev/pool=${name}`,
      });
    });
}
