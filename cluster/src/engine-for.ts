import { relative } from 'node:path';
import type { PlatformConfig } from '@delos/core';
import type { ClusterEngine, EngineOptions } from './engine.ts';

/** Which engine a configuration means. `auto`: the cluster that KUBECONFIG names, else one of our own. */
export function engineKindOf(config: PlatformConfig, options: EngineOptions): ClusterEngine['kind'] {
  const { engine, context } = config.cluster;
  if (engine !== 'auto') return engine;
  if (options.context !== undefined || context !== undefined) return 'existing';
  const kubeconfig = options.env.KUBECONFIG;
  if (kubeconfig === undefined || kubeconfig === '') return 'embedded';
  // `delos env` points KUBECONFIG at this instance's own cluster, which chooses no other one.
  return relative(options.paths.state, kubeconfig).startsWith('..') ? 'existing' : 'embedded';
}

/** The engine for a configuration. Nothing is started, and nothing is asked of a cluster yet. */
export async function engineFor(config: PlatformConfig, options: EngineOptions): Promise<ClusterEngine> {
  switch (engineKindOf(config, options)) {
    case 'embedded': {
      const [{ embeddedEngine }, { defaultParts }] = await Promise.all([
        import('./embedded/engine.ts'),
        import('./embedded/node/default-parts.ts'),
      ]);
      return embeddedEngine(options.paths, defaultParts(options.paths));
    }
    case 'kind': {
      const { kindEngine } = await import('./kind.ts');
      return kindEngine(config, options);
    }
    case 'existing': {
      const { existingEngine } = await import('./existing.ts');
      return existingEngine(config, options);
    }
  }
}
