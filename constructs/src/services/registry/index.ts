import { REGISTRY_AUTHORIZE_PATH, REGISTRY_PATH } from '@delos/core';
import type { ServiceDescriptor } from '../../base/service.ts';
import { IMAGE_BUILDER, IMAGE_REGISTRY_PORT } from '../control-api/image-registry.ts';
import { controlApi } from '../control-api/index.ts';
import { DATA, OWN } from './files.ts';
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
 * Names of images before their blobs: a blob is there before a name leads to it, so each name in the tar has its blobs there. No
 * unused blob is removed meanwhile. tar ends with 1 for what went while it walked.
 */
const SAVE = `cd ${DATA}
mkdir -p ${OWN}
exec 9>>${OWN}/lock
flock --shared 9
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
  brings: [IMAGE_BUILDER],
  config: registrySection,
  user: 60610,
  resources: { cpu: '20m', memory: '32Mi', memoryLimit: '256Mi' },
  needs: [controlApi],
  optional: true,
  late: true,
  ports: { http: IMAGE_REGISTRY_PORT },
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
    {
      name: 'RegistryVolumeNearlyFull',
      severity: 'warning',
      expr: 'delos_images_volume_free_bytes / delos_images_volume_bytes < 0.15 or delos_images_volume_free_files / (delos_images_volume_files > 0) < 0.1',
      for: '10m',
      summary: 'The volume of the registry of images is nearly full: soon no image can be pushed',
    },
    {
      name: 'RegistryNotCollected',
      severity: 'warning',
      expr: 'increase(delos_images_collections_total{end="failed"}[1d]) > 0 and increase(delos_images_collections_total{end="well"}[1d]) == 0',
      for: '10m',
      summary: 'The registry does not give the space of removed images back',
    },
  ],
  panels: [
    {
      title: 'Requests',
      unit: 'per-second',
      series: [{ expr: 'sum by (code) (rate(registry_http_requests_total[5m]))', legend: '{{code}}' }],
      emptyUnless: 'somebody has asked it',
    },
    {
      title: 'Space',
      unit: 'bytes',
      series: [
        { expr: 'delos_images_volume_bytes', legend: 'size' },
        { expr: 'delos_images_volume_free_bytes', legend: 'free' },
      ],
    },
    {
      title: 'Images by project',
      unit: 'bytes',
      series: [{ expr: 'topk(10, delos_images_project_bytes)', legend: '{{project}}' }],
      emptyUnless: 'a project has images',
    },
  ],
  build: (scope, at) => new Registry(scope, 'registry', { descriptor: registry, at }),
};
