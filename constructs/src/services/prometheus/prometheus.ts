import { quantityOf } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { ConfigFiles } from '../../base/config-files.ts';
import { DNS } from '../../base/connections.ts';
import { SecretFolder } from '../../base/external/secret-references.ts';
import type { Metrics } from '../../base/metrics.ts';
import { claim, files } from '../../base/mount.ts';
import { hostOf, labelsOf, selectorOf } from '../../base/names.ts';
import { prometheusProbes } from '../../base/probes.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { Workload } from '../../base/workload.ts';
import { portOfUrl } from '../../url-port.ts';
import { alertmanager } from '../alertmanager/index.ts';
import { CONFIG, type RuleGroup, remoteSecret, rules, SECRETS, settings, type Target } from './files.ts';
import type { PrometheusSection } from './section.ts';

/** Port of its API. */
export const PROMETHEUS_PORT = 9090;
const DATA = '/prometheus';

/** A start reads what was written last, at most a few hours of samples. */
const PROBES = prometheusProbes({ periodSeconds: 2, failureThreshold: 300 });

/**
 * One Prometheus. It has no Kubernetes token: what there is to watch follows from the list of services, and Pods are
 * found by DNS.
 */
export class Prometheus extends Construct {
  readonly workload: Workload;
  readonly #targets: Target[] = [];
  readonly #groups: RuleGroup[] = [];

  constructor(
    scope: Construct,
    id: string,
    props: {
      readonly descriptor: ServiceDescriptor<PrometheusSection, Prometheus>;
      readonly at: Site<PrometheusSection>;
    },
  ) {
    super(scope, id);
    const { descriptor, at: site } = props;
    const { namespace, own, config: whole } = site;
    const notified = site.get(alertmanager).workload;
    const secrets = new SecretFolder(this, {
      namespace,
      prefix: descriptor.name,
      folder: SECRETS,
      references: own.remoteWrite.flatMap((store, nth) => {
        const reference = store.password ?? store.token;
        return reference === undefined ? [] : [[remoteSecret(store, nth) ?? '', reference] as const];
      }),
    });
    const config = new ConfigFiles(this, 'config', {
      namespace,
      name: descriptor.name,
      labels: labelsOf(descriptor.name),
      files: () => ({
        'prometheus.yaml': settings({
          cluster: whole.cluster.name,
          everySeconds: own.everySeconds,
          targets: this.#targets,
          alertmanager: `${notified.host}:${notified.portOf('http')}`,
          remoteWrite: own.remoteWrite,
          proxied: whole.network.proxy !== undefined,
          fileOf: (secret) => secrets.fileOf(secret),
        }),
        'rules.yaml': rules(
          this.#groups,
          this.#targets.filter(({ missed }) => missed).map(({ job }) => job),
        ),
      }),
    });
    this.workload = new Workload(this, 'workload', {
      namespace,
      name: descriptor.name,
      runs: { kind: 'stateful-set', replicas: 1 },
      image: site.image,
      user: descriptor.user,
      resources: site.resources,
      graceSeconds: 60,
      command: [
        '/bin/prometheus',
        `--config.file=${CONFIG}/prometheus.yaml`,
        `--storage.tsdb.path=${DATA}`,
        `--storage.tsdb.retention.time=${own.keepDays}d`,
        // Beside blocks of samples there are the newest, which are not counted, and room to put blocks together.
        `--storage.tsdb.retention.size=${Math.floor((own.storage * 4) / 5 / 2 ** 20)}MB`,
        `--web.listen-address=:${PROMETHEUS_PORT}`,
        '--web.max-connections=64',
        '--query.max-concurrency=4',
        '--query.timeout=30s',
        '--query.max-samples=5000000',
      ],
      ports: { http: PROMETHEUS_PORT },
      probes: PROBES,
      mounts: () => [
        files(config, CONFIG, { name: 'config' }),
        claim('data', DATA, String(quantityOf(own.storage)), whole.cluster.storageClass),
        ...secrets.mounts(),
      ],
    });
    this.workload.reach(notified.peer('http'), DNS);
    const outside = [...new Set(own.remoteWrite.map(({ url }) => portOfUrl(url)))];
    if (outside.length > 0) this.workload.reach({ kind: 'anyone', ports: outside });
  }

  /** Judges by the alerts of this service. */
  rules({ name, alerts = [] }: Pick<ServiceDescriptor, 'name' | 'alerts'>): void {
    this.#groups.push({ name, alerts });
  }

  /** Asks the Pods of a service for their metrics, each by itself. */
  scrape({ port, path = '/metrics', nowhere = false }: Metrics, of: Workload): void {
    const name = `${of.name}-metrics`;
    const number = of.portOf(port);
    new k8s.KubeService(this, name, {
      metadata: { name, namespace: of.namespace.name, labels: { ...labelsOf(of.name) } },
      spec: {
        // A name for the addresses of all Pods, also of those that are not ready.
        clusterIp: 'None',
        publishNotReadyAddresses: true,
        selector: { ...selectorOf(of.name) },
        ports: [{ name: port, port: number, targetPort: k8s.IntOrString.fromString(port) }],
      },
    }).addDependency(of.namespace);
    this.workload.reach(of.peer(port));
    this.#targets.push({ job: of.name, host: hostOf(name, of.namespace.name), port: number, path, missed: !nowhere });
  }
}
