import type { ServiceDescriptor } from './base/service.ts';
import { acme } from './services/acme/index.ts';
import { agent } from './services/agent/index.ts';
import { alertmanager } from './services/alertmanager/index.ts';
import { charts } from './services/charts/index.ts';
import { collector } from './services/collector/index.ts';
import { controlApi } from './services/control-api/index.ts';
import { databaseArchive } from './services/database-archive/index.ts';
import { devpi } from './services/devpi/index.ts';
import { dns } from './services/dns/index.ts';
import { egress } from './services/egress/index.ts';
import { files } from './services/files/index.ts';
import { gateway } from './services/gateway/index.ts';
import { amdGpuExporter } from './services/gpu-exporters/amd.ts';
import { dcgmExporter } from './services/gpu-exporters/dcgm.ts';
import { intelGpuExporter } from './services/gpu-exporters/intel.ts';
import { grafana } from './services/grafana/index.ts';
import { identity } from './services/identity/index.ts';
import { imageSaver } from './services/image-saver/index.ts';
import { jobRouter } from './services/job-router/index.ts';
import { keycloak } from './services/keycloak/index.ts';
import { kubeStateMetrics } from './services/kube-state-metrics/index.ts';
import { metricsProxy } from './services/metrics-proxy/index.ts';
import { nodeExporter } from './services/node-exporter/index.ts';
import { objectStorage } from './services/object-storage/index.ts';
import { postgres } from './services/postgres/index.ts';
import { prometheus } from './services/prometheus/index.ts';
import { redis } from './services/redis/index.ts';
import { registry } from './services/registry/index.ts';
import { scheduler } from './services/scheduler/index.ts';
import { victoriaLogs } from './services/victoria-logs/index.ts';

/** The services of the platform. Each is built after those above it, whose constructs it can ask for. */
export const SERVICES: readonly ServiceDescriptor[] = [
  postgres,
  gateway,
  keycloak,
  redis,
  objectStorage,
  databaseArchive,
  controlApi,
  jobRouter,
  identity,
  scheduler,
  egress,
  acme,
  agent,
  victoriaLogs,
  collector,
  devpi,
  registry,
  imageSaver,
  charts,
  files,
  dns,
  alertmanager,
  nodeExporter,
  kubeStateMetrics,
  dcgmExporter,
  amdGpuExporter,
  intelGpuExporter,
  prometheus,
  metricsProxy,
  grafana,
];
