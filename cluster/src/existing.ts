import { join } from 'node:path';
import type { PlatformConfig, Progress } from '@delos/core';
import { writeIfChanged } from '@delos/host';
import { readCluster } from './cluster-client.ts';
import type { ClusterEngine, ClusterHandle, EngineOptions } from './engine.ts';
import { chooseCluster, renderChosen } from './existing-kubeconfig.ts';
import { endForward, settlePorts } from './forward.ts';

/** A cluster that somebody else runs. It is only looked at: `up` checks, `down` leaves it as it is. */
export function existingEngine(config: PlatformConfig, options: EngineOptions): ClusterEngine {
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
      storageClass: config.cluster.storageClass ?? (await reader.tryDefaultStorageClass()),
      images: registry === undefined ? { kind: 'upstream' } : { kind: 'registry', registry },
      // Its nodes are elsewhere, so that these ports are only taken here: `keepForward` has them lead to a Service.
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
  };
}
