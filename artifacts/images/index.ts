import type { CatalogueImage } from '../image.ts';
import { alertmanager } from './alertmanager/image.ts';
import { amdGpuExporter } from './amd-gpu-exporter/image.ts';
import { caddy } from './caddy/image.ts';
import { charts } from './charts/image.ts';
import { coredns } from './coredns/image.ts';
import { dcgmExporter } from './dcgm-exporter/image.ts';
import { debian } from './debian/image.ts';
import { devpi } from './devpi/image.ts';
import { files } from './files/image.ts';
import { grafana } from './grafana/image.ts';
import { imageBuilder } from './image-builder/image.ts';
import { imageSaver } from './image-saver/image.ts';
import { intelGpuExporter } from './intel-gpu-exporter/image.ts';
import { jobRouter } from './job-router/image.ts';
import { keycloak } from './keycloak/image.ts';
import { kubeStateMetrics } from './kube-state-metrics/image.ts';
import { localPathProvisioner } from './local-path-provisioner/image.ts';
import { metricsProxy } from './metrics-proxy/image.ts';
import { metricsServer } from './metrics-server/image.ts';
import { nodeExporter } from './node-exporter/image.ts';
import { objects } from './objects/image.ts';
import { patroni } from './patroni/image.ts';
import { pause } from './pause/image.ts';
import { pgArchive } from './pg-archive/image.ts';
import { postgres } from './postgres/image.ts';
import { prometheus } from './prometheus/image.ts';
import { python } from './python/image.ts';
import { redis } from './redis/image.ts';
import { registry } from './registry/image.ts';
import { runtime } from './runtime/image.ts';
import { ubuntu } from './ubuntu/image.ts';
import { userBase } from './user-base/image.ts';
import { victoriaLogs } from './victoria-logs/image.ts';

/** Every image that Delos runs or answers for: one folder and one line each. */
export const CATALOGUE: readonly CatalogueImage[] = [
  runtime,
  userBase,
  postgres,
  patroni,
  keycloak,
  redis,
  caddy,
  jobRouter,
  devpi,
  registry,
  imageBuilder,
  imageSaver,
  charts,
  objects,
  files,
  pgArchive,
  prometheus,
  metricsProxy,
  grafana,
  alertmanager,
  nodeExporter,
  kubeStateMetrics,
  dcgmExporter,
  amdGpuExporter,
  intelGpuExporter,
  victoriaLogs,
  coredns,
  localPathProvisioner,
  metricsServer,
  pause,
  ubuntu,
  debian,
  python,
];
