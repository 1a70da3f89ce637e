import { join } from 'node:path';
import type { PlatformConfig, Progress } from '@delos/core';
import { writeIfChanged } from '@delos/host';
import { type KubeletConfig, readCluster } from './cluster-client.ts';
import type { ClusterEngine, ClusterHandle, EngineOptions } from './engine.ts';
import { chooseCluster, renderChosen } from './existing-kubeconfig.ts';
import { endForward, settlePorts } from './forward.ts';
import { lacksUserNamespaces } from './user-namespaces.ts';

/**
 * The address at which NodeLocal DNSCache answers by default. Where there is none, nothing has it: it is link-local.
 * @see https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/
 */
const NODE_LOCAL_DNS = '169.254.20.10';

export interface ExistingEngine extends ClusterEngine {
  /** What the kubelets of the first nodes run with; undefined for one that could not be asked. */
  kubeletConfigs(limit: number): Promise<ReadonlyMap<string, KubeletConfig | undefined>>;
}

/** A cluster that somebody else runs. It is only looked at: `up` checks, `down` leaves it as it is. */
export function existingEngine(config: PlatformConfig, options: EngineOptions): ExistingEngine {
  const kubeconfig = join(options.paths.state, 'cluster', 'kubeconfig');
  const choose = () => chooseCluster(options.context ?? config.cluster.context, options);

  async function handle(): Promise<ClusterHandle> {
    const chosen = choose();
    const reader = readCluster(chosen.kubeConfig, chosen.server);
    await reader.version();
    writeIfChanged(kubeconfig, renderChosen(chosen));
    const { registry } = config.images;
    return {
      kind: 'existing',
      kubeconfig,
      context: chosen.context,
      server: chosen.server,
      apiServer: await reader.apiServer(),
      dnsAddresses: [NODE_LOCAL_DNS, ...(await reader.dnsServices())],
      networks: await reader.networks(),
      storageClass: config.cluster.storageClass ?? (await reader.tryDefaultStorageClass()),
      diskClass: config.disks.storageClass ?? (await reader.tryDefaultStorageClass()),
      lacksUserNamespaces: lacksUserNamespaces(await reader.version(), await reader.nodeFacts()),
      images: registry === undefined ? { kind: 'upstream' } : { kind: 'registry', registry },
      // Its nodes are elsewhere, so these ports are only reserved here: `keepForward` makes them lead to a Service.
      exposeLoopback: (ports) => settlePorts(options.paths, ports),
    };
  }

  return {
    kind: 'existing',
    prepare: () => Promise.resolve(),

    async up(_config: PlatformConfig, progress: Progress) {
      const { context, server } = choose();
      progress.warn(`using the cluster of context ${context} at ${server}`);
      return handle();
    },
    down: () => endForward(options.paths),
    async status() {
      const chosen = choose();
      const reader = readCluster(chosen.kubeConfig, chosen.server);
      const [version, nodes] = await Promise.all([reader.version(), reader.nodes()]);
      return { kind: 'existing', server: chosen.server, version, nodes, parts: [] };
    },
    handle,
    async kubeletConfigs(limit) {
      const chosen = choose();
      const reader = readCluster(chosen.kubeConfig, chosen.server);
      const names = (await reader.nodes()).slice(0, limit).map(({ name }) => name);
      return new Map(
        await Promise.all(names.map(async (name) => [name, await reader.tryKubeletConfig(name)] as const)),
      );
    },
  };
}
