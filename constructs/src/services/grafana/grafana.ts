import { Construct } from 'constructs';
import { ConfigFiles } from '../../base/config-files.ts';
import { DNS } from '../../base/connections.ts';
import type { Dashboard } from '../../base/metrics.ts';
import { files, scratch } from '../../base/mount.ts';
import { labelsOf } from '../../base/names.ts';
import type { Probes } from '../../base/pod.ts';
import { httpGet } from '../../base/probes.ts';
import { Secret } from '../../base/secret.ts';
import { databaseSecrets, fileOf, mounted } from '../../base/secret-folder.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { Workload } from '../../base/workload.ts';
import { dashboardsOf } from '../../dashboards/index.ts';
import type { RotationWay } from '../../synthesis.ts';
import { keycloak } from '../keycloak/index.ts';
import { metricsProxy } from '../metrics-proxy/index.ts';
import { dashboardJson } from './dashboard-json.ts';
import { CONFIG, DASHBOARDS, dataSources, GRAFANA_PATH, providers, settings } from './settings.ts';

const PORT = 3000;
/** Where the realm sends people back to. */
export const LOGIN_PATH = `${GRAFANA_PATH}/login/generic_oauth`;
/** Titles of the folders of dashboards. */
const FOLDERS: Readonly<Record<Dashboard['audience'], string>> = { platform: 'Platform', everybody: 'Projects' };

const PROBES: Probes = {
  // A first start makes its tables.
  startupProbe: { httpGet: httpGet('/api/health', 'http'), periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 150 },
  livenessProbe: { httpGet: httpGet('/api/health', 'http'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
  readinessProbe: { httpGet: httpGet('/api/health', 'http'), periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 },
};

const KEPT: RotationWay = { kind: 'kept', why: 'Grafana has encrypted with it what it keeps, and knows one value' };

/**
 * Draws metrics. People log in to it by the realm, and each query goes out with its user's own token, so that what somebody sees is
 * decided by the proxy of metrics. What users make lies in PostgreSQL.
 */
export class Grafana extends Construct {
  readonly workload: Workload;

  constructor(
    scope: Construct,
    id: string,
    props: { readonly descriptor: ServiceDescriptor<unknown, Grafana>; readonly at: Site<unknown> },
  ) {
    super(scope, id);
    const { descriptor, at } = props;
    const { namespace, database, publicUrl } = at;
    const { name } = descriptor;
    const identity = at.get(keycloak);
    const proxy = at.get(metricsProxy).workload;
    const own = new Secret(this, 'own', {
      namespace,
      name,
      sources: { key: { kind: 'password', length: 48, rotation: KEPT } },
    });
    const labels = labelsOf(name);
    const config = (id: string, of: () => Readonly<Record<string, string>>): ConfigFiles =>
      new ConfigFiles(this, id, { namespace, name: `${name}-${id}`, labels, files: of });
    const main = config('settings', () => ({
      'grafana.ini': settings({
        port: PORT,
        publicUrl,
        database,
        key: fileOf({ secret: own, key: 'key' }),
        client: name,
        issuer: identity.issuer,
        realmUrl: `${identity.internalUrl}/realms/${identity.realm.realm}`,
        admin: at.config.admin.user,
      }),
    }));
    const sources = config('sources', () => ({ 'metrics.yaml': dataSources(proxy.url('http')) }));
    const pages = config('pages', () => ({ 'delos.yaml': providers(FOLDERS) }));
    const all = dashboardsOf(at.services);
    const shown = Object.keys(FOLDERS).map((audience) =>
      config(`dashboards-${audience}`, () =>
        Object.fromEntries(
          all.filter((page) => page.audience === audience).map((page) => [`${page.name}.json`, dashboardJson(page)]),
        ),
      ),
    );
    this.workload = new Workload(this, 'workload', {
      name,
      namespace,
      runs: { kind: 'deployment', replicas: 1 },
      image: at.image,
      user: descriptor.user,
      userNamespace: at.userNamespaces,
      resources: at.resources,
      command: [
        '/usr/share/grafana/bin/grafana',
        'server',
        '--homepath=/usr/share/grafana',
        `--config=${CONFIG}/grafana.ini`,
        '--packaging=docker',
      ],
      ports: { http: PORT },
      probes: PROBES,
      mounts: () => [
        scratch('tmp', '/tmp', '256Mi'),
        files(main, `${CONFIG}/grafana.ini`, { only: 'grafana.ini' }),
        files(sources, `${CONFIG}/datasources`),
        files(pages, `${CONFIG}/dashboards`),
        ...shown.map((page, nth) => files(page, `${DASHBOARDS}/${Object.keys(FOLDERS)[nth]}`)),
        ...[own, ...databaseSecrets(database)].map(mounted),
      ],
    });
    this.workload.reach(DNS, database.peer, identity.peer, proxy.peer('http'));
    this.workload.after(...database.ready);
  }
}
