import { mkdirSync } from 'node:fs';
import {
  API_SERVER_PORT,
  DelosError,
  fileStorageKind,
  type InstancePaths,
  MIRROR_PORT,
  type PlatformConfig,
  type Progress,
} from '@delos/core';
import { findByArgument, withLock, writeIfChanged } from '@delos/host';
import { DISK_CLASS } from '../disks/index.ts';
import type { ClusterEngine, ClusterHandle, ClusterStatus, UpOptions } from '../engine.ts';
import { STORAGE_CLASS } from './addons/index.ts';
import { takeDown } from './down.ts';
import { addressesOf, networksOf } from './host/addresses.ts';
import { exposeLoopback } from './host/expose.ts';
import { hostMarker, nodeMarker } from './host/marks.ts';
import { allocateNumber } from './host/number.ts';
import { membersOf, poolsWanted } from './members.ts';
import { writeNodeHosts } from './node/platform-hosts.ts';
import { nodeControl } from './node-control.ts';
import { type EmbeddedParts, prepareMachine, prepareSpec } from './prepare.ts';
import { readStatus } from './read-status.ts';
import { removeNodes, surplusOf } from './remove-nodes.ts';
import { layoutOf, type NodeSpec, readMembers, tryReadSpec } from './spec.ts';
import { startNodes } from './start.ts';
import { prepareStorageFolder } from './storage-folder.ts';
import { waitForCluster } from './wait.ts';

/** A whole Kubernetes cluster on this machine, each node in namespaces of its own. */
export function embeddedEngine(paths: InstancePaths, parts: EmbeddedParts): ClusterEngine {
  const layout = layoutOf(paths.state);
  const lockName = `cluster:${paths.state}`;

  function handleOf(spec: NodeSpec): ClusterHandle {
    const { nodeIp } = addressesOf(spec.number);
    return {
      kind: 'embedded',
      kubeconfig: layout.adminKubeconfig,
      context: `delos-${spec.instance}`,
      server: `https://${nodeIp}:${API_SERVER_PORT}`,
      apiServer: { addresses: [nodeIp], port: API_SERVER_PORT },
      dnsAddresses: [],
      networks: networksOf(spec.number),
      storageClass: STORAGE_CLASS,
      diskClass: DISK_CLASS,
      fileFolder: layout.files,
      lacksUserNamespaces: ['the embedded node runs Debian’s containerd, which has no user namespaces before 2.0'],
      images: { kind: 'mirror', endpoint: `http://127.0.0.1:${MIRROR_PORT}`, standIns: spec.standIns },
      exposeLoopback: async (ports) => {
        const settled = await exposeLoopback(layout, ports);
        // The name of the platform's registry has such a port.
        for (const member of readMembers(paths)) writeNodeHosts(member);
        return settled;
      },
    };
  }

  /** Also while its first node is stopped. */
  const isUp = (): boolean =>
    [nodeMarker(paths.state), hostMarker(paths.state)].some((marker) => findByArgument(marker).length > 0);

  /** Starts the nodes that are asked for, and takes away those that are not. */
  async function change(
    specs: readonly NodeSpec[],
    before: readonly NodeSpec[],
    loseVolumes: boolean,
    progress: Progress,
  ): Promise<void> {
    const [first] = specs;
    if (first === undefined) return;
    const surplus = surplusOf(paths, first, specs.length);
    // Until they are gone they count.
    const nodes = surplus.length === 0 ? specs.length : Math.max(specs.length, before.length);
    await startNodes(
      specs.map((spec) => ({ ...spec, nodes })),
      progress,
    );
    await waitForCluster(
      specs.map((spec) => ({ ...spec, nodes })),
      progress,
    );
    if (surplus.length === 0) return;
    await removeNodes(paths, first, surplus, loseVolumes, progress);
    for (const spec of specs) {
      writeIfChanged(layoutOf(paths.state, spec.index).spec, JSON.stringify(spec, null, 1));
    }
    await waitForCluster(specs, progress);
  }

  return {
    kind: 'embedded',

    nodes: nodeControl(paths),

    prepare: (progress) => prepareMachine(parts, progress),

    up: (config: PlatformConfig, progress: Progress, options: UpOptions = {}) =>
      withLock(lockName, 'cluster up', async () => {
        if (process.getuid?.() !== 0) {
          throw new DelosError('ERR_NOT_ROOT', 'the embedded engine makes namespaces, mounts and network interfaces', {
            hint: 'run it as root, or use a cluster that is there: set KUBECONFIG and cluster.engine: existing',
          });
        }
        mkdirSync(paths.state, { recursive: true, mode: 0o700 });
        const folder = fileStorageKind(config.storage) === undefined ? layout.files : config.storage.directory?.path;
        if (folder !== undefined) prepareStorageFolder(folder);
        const before = readMembers(paths);
        const pools = poolsWanted(config, before, options.nodes);
        const number = await allocateNumber(paths.state, pools.length);
        const shared = await prepareSpec(config, paths, number, parts, progress);
        const specs = membersOf(shared, config, pools);
        await change(specs, before, options.deleteData ?? false, progress);
        return handleOf(shared);
      }),

    down: (options, progress) => withLock(lockName, 'cluster down', () => takeDown(paths, options, progress)),

    async status(): Promise<ClusterStatus | undefined> {
      const spec = tryReadSpec(paths);
      if (spec === undefined || !isUp()) return undefined;
      return readStatus([spec, ...readMembers(paths).slice(1)]);
    },

    async handle(): Promise<ClusterHandle> {
      const spec = tryReadSpec(paths);
      if (spec === undefined || !isUp()) {
        throw new DelosError('ERR_NOT_UP', `the cluster of instance ${paths.instance} is not up`, {
          hint: 'bring it up: delos cluster up',
        });
      }
      return handleOf(spec);
    },
  };
}
