import { quantityOf } from '@delos/core';
import { Construct } from 'constructs';
import { claim } from '../../base/mount.ts';
import { httpGet } from '../../base/probes.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { Workload } from '../../base/workload.ts';
import { controlApi } from '../control-api/index.ts';
import type { VictoriaLogsSection } from './section.ts';

const PORT = 9428;
const DATA = '/data';

/**
 * One VictoriaLogs. It has no users: collectors write, operators read through the Kubernetes API, and the control API asks for
 * its users, and removes what projects keep for a shorter time.
 */
export class VictoriaLogs extends Construct {
  readonly workload: Workload;

  constructor(
    scope: Construct,
    id: string,
    props: {
      readonly descriptor: ServiceDescriptor<VictoriaLogsSection, VictoriaLogs>;
      readonly at: Site<VictoriaLogsSection>;
    },
  ) {
    super(scope, id);
    const { descriptor, at: site } = props;
    const { own } = site;
    this.workload = new Workload(this, 'workload', {
      namespace: site.namespace,
      name: descriptor.name,
      runs: { kind: 'stateful-set', replicas: 1 },
      image: site.image,
      user: descriptor.user,
      resources: site.resources,
      graceSeconds: 60,
      command: [
        '/bin/victoria-logs',
        `-storageDataPath=${DATA}`,
        `-retentionPeriod=${own.keepDays}d`,
        // Beside what is counted there is room to put parts together.
        `-retention.maxDiskSpaceUsageBytes=${Math.floor((own.storage * 4) / 5)}`,
        `-httpListenAddr=:${PORT}`,
        // On its disk after two seconds at most, and those of merges: collectors count on it (SETTLED_MS).
        '-inmemoryDataFlushInterval=2s',
        // A line of 64 KiB of text, each character escaped.
        '-insert.maxLineSizeBytes=512KiB',
        '-delete.enable',
        '-memory.allowedPercent=50',
        '-search.maxConcurrentRequests=4',
        '-search.maxQueryDuration=30s',
        '-loggerLevel=WARN',
      ],
      ports: { http: PORT },
      probes: {
        startupProbe: {
          httpGet: httpGet('/health', 'http'),
          periodSeconds: 2,
          timeoutSeconds: 5,
          failureThreshold: 150,
        },
        readinessProbe: {
          httpGet: httpGet('/health', 'http'),
          periodSeconds: 5,
          timeoutSeconds: 5,
          failureThreshold: 3,
        },
        livenessProbe: {
          httpGet: httpGet('/health', 'http'),
          periodSeconds: 10,
          timeoutSeconds: 5,
          failureThreshold: 6,
        },
      },
      mounts: () => [claim('data', DATA, String(quantityOf(own.storage)), site.config.cluster.storageClass)],
    });
    site.find(controlApi)?.searchesLogsIn(this.workload);
  }
}
