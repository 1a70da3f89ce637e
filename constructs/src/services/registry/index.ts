import { REGISTRY_AUTHORIZE_PATH, REGISTRY_PATH } from '@delos/core';
import type { ServiceDescriptor } from '../../base/service.ts';
import { controlApi } from '../control-api/index.ts';
import { DATA } from './files.ts';
import { Registry } from './registry.ts';
import { type RegistrySection, registrySection } from './section.ts';

/** Largest layer. What bounds it earlier is the volume. */
const MAX_LAYER_BYTES = 64 * 2 ** 30;
/** A layer of that size at 3 MiB a second. */
const UPLOAD_HOURS = 6;

const path = {
  paths: [REGISTRY_PATH, `${REGISTRY_PATH}/*`],
  port: 'http',
  maxBodyBytes: MAX_LAYER_BYTES,
  requestHours: UPLOAD_HOURS,
  // An upload that was resumed is read again to its end before it is taken.
  answerMinutes: 30,
};

/**
 * Names of images before their blobs: a blob is there before a name leads to it, so each name in the tar has its blobs there. tar
 * ends with 1 for what went while it walked.
 */
const SAVE = `cd ${DATA}
set --
for folder in repositories blobs; do
  [ ! -d "docker/registry/v2/$folder" ] || set -- "$@" "docker/registry/v2/$folder"
done
[ $# -gt 0 ] || set -- --files-from=/dev/null
tar --create --file=- --exclude=_uploads "$@" || [ $? -eq 1 ]`;

/** The service that keeps images. */
export const registry: ServiceDescriptor<RegistrySection, Registry> = {
  name: 'registry',
  idea: 'the registry: images of jobs, by project',
  image: 'registry',
  config: registrySection,
  user: 60610,
  resources: { cpu: '20m', memory: '64Mi', memoryLimit: '256Mi' },
  needs: [controlApi],
  optional: true,
  diesWithNode: 'it runs once, on one volume',
  backup: { save: ['/bin/sh', '-c', SAVE], claim: 'data', folder: '.' },
  routes: [
    // Tokens of the registry itself it checks alone. The official client shows those of the platform.
    path,
    {
      ...path,
      authorization: 'Basic',
      asks: { service: controlApi.name, port: 'http', path: REGISTRY_AUTHORIZE_PATH },
    },
  ],
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'RegistryFailures',
      severity: 'critical',
      expr: 'sum(rate(registry_http_requests_total{job="registry",code=~"5.."}[5m])) / sum(rate(registry_http_requests_total{job="registry"}[5m])) > 0.05',
      for: '5m',
      summary: 'The registry of images fails at more than one request of twenty',
    },
  ],
  panels: [
    {
      title: 'Requests',
      unit: 'per-second',
      series: [{ expr: 'sum by (code) (rate(registry_http_requests_total[5m]))', legend: '{{code}}' }],
      emptyUnless: 'somebody has asked it',
    },
  ],
  build: (scope, at) => new Registry(scope, 'registry', { descriptor: registry, at }),
};
