import { Construct } from 'constructs';
import { ConfigFiles } from '../../base/config-files.ts';
import { DNS } from '../../base/connections.ts';
import { SecretFolder } from '../../base/external/secret-references.ts';
import { claim, files } from '../../base/mount.ts';
import { labelsOf } from '../../base/names.ts';
import { prometheusProbes } from '../../base/probes.ts';
import { goMemoryLimit } from '../../base/sections/resources-section.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { Workload } from '../../base/workload.ts';
import { CONFIG, portsFor, SECRETS, secretsFor, settings } from './receivers.ts';

const PORT = 9093;
const DATA = '/alertmanager';
/** What was told to whom, and what was silenced. */
const VOLUME = '128Mi';

const PROBES = prometheusProbes({ periodSeconds: 1, failureThreshold: 60 });

/** One Alertmanager: it tells those of `notifications` what Prometheus finds wrong. */
export class Alertmanager extends Construct {
  readonly workload: Workload;

  constructor(
    scope: Construct,
    id: string,
    {
      descriptor,
      at: site,
    }: { readonly descriptor: ServiceDescriptor<unknown, Alertmanager>; readonly at: Site<unknown> },
  ) {
    super(scope, id);
    const { namespace } = site;
    const { notifications, cluster, network } = site.config;
    const secrets = new SecretFolder(this, {
      namespace,
      prefix: descriptor.name,
      folder: SECRETS,
      references: secretsFor(notifications),
    });
    const config = new ConfigFiles(this, 'config', {
      namespace,
      name: descriptor.name,
      labels: labelsOf(descriptor.name),
      files: () => ({
        'alertmanager.yaml': settings(notifications, {
          fileOf: (secret) => secrets.fileOf(secret),
          proxied: network.proxy !== undefined,
        }),
      }),
    });
    this.workload = new Workload(this, 'workload', {
      namespace,
      name: descriptor.name,
      runs: { kind: 'stateful-set', replicas: 1 },
      image: site.image,
      user: descriptor.user,
      resources: site.resources,
      command: [
        '/bin/alertmanager',
        `--config.file=${CONFIG}/alertmanager.yaml`,
        `--storage.path=${DATA}`,
        '--data.retention=120h',
        '--cluster.listen-address=',
        `--web.listen-address=:${PORT}`,
        '--web.get-concurrency=16',
        '--silences.max-silences=1000',
        '--silences.max-silence-size-bytes=16384',
        '--alerts.per-alertname-limit=1000',
      ],
      env: () => [goMemoryLimit(site.resources)],
      ports: { http: PORT },
      probes: PROBES,
      mounts: () => [
        files(config, CONFIG, { name: 'config' }),
        claim('data', DATA, VOLUME, cluster.storageClass),
        ...secrets.mounts(),
      ],
    });
    this.workload.reach(DNS);
    const ports = portsFor(notifications);
    if (ports.length > 0) this.workload.reach({ kind: 'anyone', ports });
  }
}
