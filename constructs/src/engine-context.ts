import { CATALOGUE, MIRROR_HOST } from '@delos/artifacts';
import { API_SERVER_PORT, DelosError, NODE_PORTS, nearest, type PlatformConfig } from '@delos/core';
import type { SynthesisContext } from './synthesis-context.ts';

/*
 * Stand-ins for what only a running cluster can tell, by engine. With them, manifests can be written and reviewed
 * without a cluster. Addresses of an existing cluster's API server are unknown; RFC 5737's stand there.
 */
const ENGINES = {
  embedded: {
    apiServer: { addresses: ['10.201.0.2'], port: API_SERVER_PORT },
    entrance: { kind: 'node-port', ...NODE_PORTS },
    local: true,
    fileFolder: '/srv/delos-files',
  },
  kind: {
    apiServer: { addresses: ['172.18.0.2'], port: API_SERVER_PORT },
    entrance: { kind: 'node-port', ...NODE_PORTS },
    local: false,
    fileFolder: undefined,
  },
  existing: {
    apiServer: { addresses: ['192.0.2.1'], port: API_SERVER_PORT },
    entrance: { kind: 'service' },
    local: false,
    fileFolder: undefined,
  },
} as const;

/** What `delos synth` synthesizes against. @throws DelosError ERR_USAGE for a name that is no engine */
export function engineContext(config: PlatformConfig, name: string | undefined): SynthesisContext {
  const wanted = name ?? (config.cluster.engine === 'auto' ? 'embedded' : config.cluster.engine);
  const engine = Object.entries(ENGINES).find(([key]) => key === wanted)?.[1];
  if (engine === undefined) {
    const names = Object.keys(ENGINES);
    const near = nearest(wanted, names);
    throw new DelosError('ERR_USAGE', `no engine is named ${JSON.stringify(wanted)}`, {
      hint: near === undefined ? `engines: ${names.join(', ')}` : `did you mean ${near}?`,
    });
  }
  const { local, apiServer, fileFolder } = engine;
  // As if each port that the configuration names were free.
  const { httpPort, httpsPort } = config.gateway;
  const entrance = { ...engine.entrance, hostPorts: { httpPort, httpsPort } };
  const { source } = config.images;
  const prefersLocal = source === 'local' || source === 'site' || (source === 'auto' && local);
  return { apiServer, entrance, fileFolder, images: references(config, prefersLocal) };
}

function references(config: PlatformConfig, local: boolean): Readonly<Record<string, string>> {
  const registry = config.images.registry ?? MIRROR_HOST;
  return Object.fromEntries(
    CATALOGUE.map(({ name, upstream, version }) => [
      name,
      local || upstream === null ? `${registry}/delos/${name}:${version}` : upstream,
    ]),
  );
}
