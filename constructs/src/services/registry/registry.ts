import { GATEWAY_HOST, isLoopback, quantityOf } from '@delos/core';
import { Construct } from 'constructs';
import { ConfigFiles } from '../../base/config-files.ts';
import { claim, files, scratch } from '../../base/mount.ts';
import { labelsOf, PORTS } from '../../base/names.ts';
import type { Probes } from '../../base/pod.ts';
import { httpGet } from '../../base/probes.ts';
import { Secret } from '../../base/secret.ts';
import { env, fileOf, mounted } from '../../base/secret-folder.ts';
import { goMemoryLimit } from '../../base/sections/resources-section.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { Workload } from '../../base/workload.ts';
import { BUILDER_FILE, IMAGE_BUILDER, IMAGE_REGISTRY_PORT } from '../control-api/image-registry.ts';
import { controlApi } from '../control-api/index.ts';
import { CONFIG, DATA, limitsFile, RUN, settings, variables } from './files.ts';
import type { RegistrySection } from './section.ts';

const PROBES: Probes = {
  startupProbe: { httpGet: httpGet('/', 'http'), periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 180 },
  livenessProbe: { httpGet: httpGet('/', 'http'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
  // It looks at its storage.
  readinessProbe: {
    httpGet: httpGet('/debug/health', 'internal'),
    periodSeconds: 5,
    timeoutSeconds: 5,
    failureThreshold: 3,
  },
};

/** Where jobs reach the registry: a platform on loopback has no name that leads there from within the cluster. */
function registryAt(publicUrl: string): { readonly registryAt?: string } {
  const { hostname, protocol } = new URL(publicUrl);
  return isLoopback(hostname)
    ? { registryAt: `${GATEWAY_HOST}:${PORTS[protocol === 'http:' ? 'http' : 'https']}` }
    : {};
}

/**
 * Images by project. It has no users: it takes what a token allows, and tokens come from the control API, which has the one key that
 * signs them.
 */
export class Registry extends Construct {
  readonly workload: Workload;

  constructor(
    scope: Construct,
    id: string,
    props: { readonly descriptor: ServiceDescriptor<RegistrySection, Registry>; readonly at: Site<RegistrySection> },
  ) {
    super(scope, id);
    const { descriptor, at: site } = props;
    const { namespace } = site;
    const { name } = descriptor;
    const api = site.get(controlApi);
    const { registryKey } = api;
    const own = new Secret(this, 'own', {
      namespace,
      name,
      sources: {
        keys: {
          kind: 'signing-key-set',
          namespace: namespace.name,
          ref: `${registryKey.secret.name}/${registryKey.key}`,
        },
        secret: { kind: 'password', length: 48, rotation: { kind: 'overlap' } },
      },
    });
    const config = new ConfigFiles(this, 'config', {
      namespace,
      name,
      labels: labelsOf(name),
      files: () => ({
        'config.yml': settings(site.publicUrl, fileOf({ secret: own, key: 'keys' })),
        ...limitsFile(site.config.organizations),
      }),
    });
    const builder = site.context.images[IMAGE_BUILDER];
    if (builder !== undefined) {
      // The control API has a place for it, and reads it for each build.
      new ConfigFiles(this, 'builder', {
        namespace,
        name: IMAGE_BUILDER,
        labels: labelsOf(name),
        files: () => ({ [BUILDER_FILE]: `${JSON.stringify({ image: builder, ...registryAt(site.publicUrl) })}\n` }),
      });
    }
    this.workload = new Workload(this, 'workload', {
      name,
      namespace,
      runs: { kind: 'stateful-set', replicas: 1 },
      image: site.image,
      user: descriptor.user,
      resources: site.resources,
      command: ['/bin/image-registry', 'serve', `${CONFIG}/config.yml`],
      rereadsSecrets: true,
      ports: { http: IMAGE_REGISTRY_PORT, internal: PORTS.internal },
      podPorts: ['internal'],
      probes: PROBES,
      mounts: () => [
        files(config, CONFIG, { name: 'config' }),
        scratch('run', RUN, '1Mi', 'memory'),
        claim('data', DATA, String(quantityOf(site.own.storage)), site.config.cluster.storageClass),
        mounted(own),
      ],
      // Nobody takes its traces.
      env: () => [
        env('OTEL_TRACES_EXPORTER', 'none'),
        goMemoryLimit(site.resources),
        ...variables(site.own, fileOf({ secret: own, key: 'secret' })),
      ],
    });
    api.listsImagesOf(this.workload);
  }
}
