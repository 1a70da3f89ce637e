import { IDENTITY_PATH, type IdentitySpec, OPERATOR_CLIENT, providersOf, providerUrlOf } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { ConfigFiles } from '../../base/config-files.ts';
import { DNS, type Peer } from '../../base/connections.ts';
import type { Database } from '../../base/database.ts';
import { SecretFolder } from '../../base/external/secret-references.ts';
import type { Identity } from '../../base/identity.ts';
import { files, scratch, secretFiles } from '../../base/mount.ts';
import { labelsOf, PORTS } from '../../base/names.ts';
import type { Namespace } from '../../base/namespace.ts';
import type { Probes, Resources } from '../../base/pod.ts';
import { Secret, type SecretKey } from '../../base/secret.ts';
import { partOf } from '../../base/sections/resources-section.ts';
import { Workload } from '../../base/workload.ts';
import type { RotationWay } from '../../synthesis.ts';
import { upstreamImage } from '../../upstream-image.ts';
import { type ExternalKeycloakProps, externalKeycloak } from './external.ts';
import { ADMIN_KEY, CONFIGURATION, SECRETS, START } from './files.ts';

/** What a {@link Keycloak} is made of. */
export interface KeycloakProps {
  /** The namespace that it runs in. */
  readonly namespace: Namespace;
  /** Reference of the image. @default the published one of this release */
  readonly image?: string;
  /** User and group that it runs as. @default the platform's number for Keycloak */
  readonly user?: number;
  /** Processor and memory. @default 0.1 core, 832Mi, at most 1Gi */
  readonly resources?: Resources;
  /** How many run. Several keep in step with each other, and find each other by the database. @default 1 */
  readonly replicas?: number;
  /** Where it keeps its state. Its password lies in the namespace that Keycloak runs in. */
  readonly database: Database;
  /** Origin that users reach it by, at the path `/auth`. No trailing slash. */
  readonly publicUrl: string;
  /** Whether the nodes have user namespaces for Pods. @default false */
  readonly userNamespaces?: boolean;
  /** Its one realm. */
  readonly realm: IdentitySpec;
}

/** Port of each scheme that a provider is reached by. */
const PORT_OF: Readonly<Record<string, number>> = { 'ldap:': 389, 'ldaps:': 636, 'http:': 80, 'https:': 443 };

/** Ports that Keycloak reaches identity providers at. A policy knows no host names. */
function providerPorts(realm: IdentitySpec): readonly number[] {
  const ports = providersOf(realm.providers).map((provider) => {
    const { port, protocol } = new URL(providerUrlOf(provider));
    return port === '' ? (PORT_OF[protocol] ?? 443) : Number(port);
  });
  return [...new Set(ports)].sort((a, b) => a - b);
}

/** User and group that it runs as. */
export const KEYCLOAK_USER = 60601;
/** Processor and memory where the props say none. */
export const KEYCLOAK_RESOURCES: Resources = { cpu: '100m', memory: '832Mi', memoryLimit: '1Gi' };

const ADMIN_KEPT: RotationWay = {
  kind: 'kept',
  why: 'Keycloak takes it at its very first start alone, and knows one value',
};

/**
 * Keycloak. Its realm is made and kept by the control API's `migrate` step, not imported: an import is done once.
 * @example
 * const database = new Postgres(chart, 'postgres', { namespace }).database('keycloak');
 * const publicUrl = 'https://ai.example.com';
 * const identity = new Keycloak(chart, 'keycloak', {
 *   namespace,
 *   database,
 *   publicUrl,
 *   realm: realmOf(delosConfig.parse({ domain: 'ai.example.com' }), publicUrl),
 * });
 * @see https://www.keycloak.org/documentation
 */
export class Keycloak extends Construct implements Identity {
  /** Its Pods, Service and connections. */
  readonly workload: Workload;
  /** The realm as code. */
  readonly realm: IdentitySpec;
  /** The first administrator of Keycloak itself: a client that the reconciliation of the realm signs in as. */
  readonly admin: SecretKey;
  readonly #publicUrl: string;

  constructor(scope: Construct, id: string, props: KeycloakProps) {
    super(scope, id);
    const { namespace, database, replicas = 1 } = props;
    const several = replicas > 1;
    this.realm = props.realm;
    this.#publicUrl = props.publicUrl;
    const secret = new Secret(this, 'admin-secret', {
      namespace,
      name: `${id}-admin`,
      sources: { [ADMIN_KEY]: { kind: 'password', length: 40, rotation: ADMIN_KEPT } },
    });
    this.admin = { secret, key: ADMIN_KEY };
    const authorities = new SecretFolder(this, {
      namespace,
      prefix: 'identity-authority',
      folder: TRUSTED,
      references: providersOf(props.realm.providers).flatMap(({ settings: { name, authority } }) =>
        authority === undefined ? [] : [[name, authority] as const],
      ),
    });
    const config = new ConfigFiles(this, 'config', {
      namespace,
      name: id,
      labels: labelsOf(id),
      files: () => ({ 'configuration.sh': CONFIGURATION, 'start.sh': START }),
    });
    this.workload = new Workload(this, 'workload', {
      namespace,
      name: id,
      // A single one has only its own cache, and no second one beside it, not even during an update.
      runs: several ? { kind: 'deployment', replicas } : { kind: 'stateful-set', replicas },
      image: props.image ?? upstreamImage('keycloak'),
      user: props.user ?? KEYCLOAK_USER,
      // As the upstream image's files have it.
      groups: [0],
      userNamespace: props.userNamespaces ?? false,
      resources: props.resources ?? KEYCLOAK_RESOURCES,
      ...(several ? { sysctls: PROBED } : {}),
      graceSeconds: 30,
      command: ['/bin/sh', '/etc/keycloak/start.sh'],
      env: () => [
        ...environment(props),
        ...trusted(
          providersOf(props.realm.providers).flatMap(({ settings: { name } }) => authorities.fileOf(name) || []),
        ),
      ],
      ports: { http: PORTS.http, management: 9000, ...(several ? CLUSTER_PORTS : {}) },
      podPorts: ['management', ...Object.keys(CLUSTER_PORTS)],
      probes: several ? SEVERAL_PROBES : PROBES,
      mounts: () => [
        files(config, '/etc/keycloak', { name: 'config' }),
        scratch('data', '/opt/keycloak/data', '256Mi'),
        scratch('build', '/build', '1Gi'),
        scratch('tmp', '/tmp', '256Mi'),
        scratch('run', '/run/keycloak', '1Mi', 'memory'),
        secretFiles(database.password.secret, `${SECRETS}/database`, 'secret-database'),
        ...(database.tls?.authority === undefined
          ? []
          : [secretFiles(database.tls.authority.secret, AUTHORITY, 'secret-authority')]),
        secretFiles(secret, `${SECRETS}/admin`, 'secret-admin'),
        ...authorities.mounts(),
      ],
    });
    this.workload.reach(database.peer, DNS);
    if (several) this.workload.reach(this.workload.peer(...Object.keys(CLUSTER_PORTS)));
    const ports = providerPorts(props.realm);
    if (ports.length > 0) this.workload.reach({ kind: 'anyone', ports });
  }

  /**
   * A Keycloak that is there already, with the client `delos-operator` in its realm `master`, which may manage realms. The
   * platform makes a realm of its own in it.
   * @example
   * const identity = Keycloak.external({
   *   url: 'https://sso.example.com',
   *   realm: realmOf(delosConfig.parse({ domain: 'ai.example.com' }), 'https://ai.example.com'),
   *   admin: { secret: Secret.external({ namespace, name: 'sso-operator' }), key: 'client-secret' },
   *   peer: { kind: 'addresses', addresses: ['203.0.113.7'], ports: [443] },
   * });
   */
  static external(props: ExternalKeycloakProps): Identity {
    return externalKeycloak(props);
  }

  /** Where users see the realm: the `iss` of its tokens. */
  get issuer(): string {
    return `${this.#publicUrl}${IDENTITY_PATH}/realms/${this.realm.realm}`;
  }

  /** Keys that the realm signs with, for services inside the cluster. */
  get jwksUrl(): string {
    return `${this.internalUrl}/realms/${this.realm.realm}/protocol/openid-connect/certs`;
  }

  /** To be reached by services that sign in to it. */
  get peer(): Peer {
    return this.workload.peer('http');
  }

  /** Keycloak itself, for services inside the cluster. */
  get internalUrl(): string {
    return `${this.workload.url('http')}${IDENTITY_PATH}`;
  }
}

/** What its Pods talk to each other by (JGroups), and see each other's end by. @see https://www.keycloak.org/server/caching */
const CLUSTER_PORTS = { cluster: 7800, failure: 57_800 } as const;

/**
 * Another one that is lost with its node is noticed when it answers no probe of the connections that they hold open (FD_SOCK2): after
 * 15 s. By its own count JGroups waits for 40 s, which Keycloak's stack leaves nobody to change, and logins wait with it.
 * @see https://www.kernel.org/doc/html/latest/networking/ip-sysctl.html
 */
const PROBED: Readonly<Record<string, string>> = {
  'net.ipv4.tcp_keepalive_time': '5',
  'net.ipv4.tcp_keepalive_intvl': '2',
  'net.ipv4.tcp_keepalive_probes': '5',
};

const management = (path: string): k8s.HttpGetAction => ({ path, port: k8s.IntOrString.fromString('management') });
const PROBES: Probes = {
  // A first start makes a hundred tables, and may build before: minutes on a slow machine.
  startupProbe: { httpGet: management('/health/started'), periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 300 },
  readinessProbe: { httpGet: management('/health/ready'), periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 },
  livenessProbe: { httpGet: management('/health/live'), periodSeconds: 10, timeoutSeconds: 10, failureThreshold: 6 },
};

/**
 * `ready` also asks whether members are parted, by rows of the database that outlive their member for a minute: where the oldest
 * member goes with its node, the other would take no login for that long. A realm is answered for once it takes logins.
 */
const SEVERAL_PROBES: Probes = {
  ...PROBES,
  readinessProbe: {
    httpGet: { path: `${IDENTITY_PATH}/realms/master`, port: k8s.IntOrString.fromString('http') },
    periodSeconds: 5,
    timeoutSeconds: 5,
    failureThreshold: 3,
  },
};

const AUTHORITY = `${SECRETS}/authority`;
/** Authorities of identity providers, beside the public ones. */
const TRUSTED = '/etc/keycloak-authorities';

const trusted = (files: readonly string[]): readonly k8s.EnvVar[] =>
  files.length === 0 ? [] : [{ name: 'KC_TRUSTSTORE_PATHS', value: files.join(',') }];

/** @see https://jdbc.postgresql.org/documentation/ssl/ */
const tlsProperties = ({ authority }: NonNullable<Database['tls']>): readonly string[] => [
  'sslmode=verify-full',
  authority === undefined
    ? // Java's own list of public authorities; else the driver looks for a file in a home that is empty.
      'sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory'
    : `sslrootcert=${AUTHORITY}/${authority.key}`,
];

/**
 * A primary of PostgreSQL that is lost with its node answers nothing, and refuses nothing. Connections at rest are probed (PROBED). One
 * that waits for an answer is not, since the kernel first repeats what was sent: Keycloak gives a transaction, and each of its answers,
 * so long. Changes of the schema have a limit of their own.
 */
const TRANSACTION_TIMEOUT = '15s';

/** Of its memory; the rest is for code, threads and what Java keeps outside of its heap. */
const HEAP = 400 / 1024;

/** Measured: a start costs 24 s of one core and 360 MB; with the optimizing compiler and G1, 49 s and 465 MB. */
const JAVA_OPTIONS = '-XX:-UseG1GC -XX:+UseSerialGC -XX:TieredStopAtLevel=1';

/** A Pod's address need not be a private one, which JGroups would look for. */
const POD_ADDRESS: k8s.EnvVar = { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } };

function environment({
  publicUrl,
  database,
  resources = KEYCLOAK_RESOURCES,
  replicas = 1,
}: KeycloakProps): k8s.EnvVar[] {
  const several = replicas > 1;
  const properties = [
    ...(database.tls === undefined ? [] : tlsProperties(database.tls)),
    ...(several ? ['tcpKeepAlive=true'] : []),
  ];
  const plain: Readonly<Record<string, string>> = {
    KC_DB: 'postgres',
    KC_DB_URL_HOST: database.host,
    KC_DB_URL_PORT: String(database.port),
    KC_DB_URL_DATABASE: database.name,
    KC_DB_USERNAME: database.user,
    KC_DB_POOL_MAX_SIZE: '20',
    ...(properties.length === 0 ? {} : { KC_DB_URL_PROPERTIES: `?${properties.join('&')}` }),
    ...(several ? { KC_TRANSACTION_DEFAULT_TIMEOUT: TRANSACTION_TIMEOUT } : {}),
    KC_HOSTNAME: `${publicUrl}${IDENTITY_PATH}`,
    // Services inside the cluster ask by its Service's name; what it issues names the public one.
    KC_HOSTNAME_BACKCHANNEL_DYNAMIC: 'true',
    KC_HTTP_RELATIVE_PATH: IDENTITY_PATH,
    KC_HTTP_MANAGEMENT_RELATIVE_PATH: '/',
    KC_HTTP_ENABLED: 'true',
    KC_PROXY_HEADERS: 'xforwarded',
    KC_HEALTH_ENABLED: 'true',
    KC_METRICS_ENABLED: 'true',
    ...(several ? { KC_CACHE: 'ispn', KC_CACHE_STACK: 'jdbc-ping' } : { KC_CACHE: 'local' }),
    KC_LOG_CONSOLE_OUTPUT: 'json',
    KC_BOOTSTRAP_ADMIN_CLIENT_ID: OPERATOR_CLIENT,
    // Its user has no entry in the image's /etc/passwd: Java's user.home is this.
    HOME: '/opt/keycloak/data',
    JAVA_OPTS_KC_HEAP: `-Xms128m -Xmx${partOf(resources.memoryLimit, HEAP)}m`,
    JAVA_OPTS_APPEND: several ? `${JAVA_OPTIONS} -Djgroups.bind.address=$(POD_IP)` : JAVA_OPTIONS,
  };
  return [...(several ? [POD_ADDRESS] : []), ...Object.entries(plain).map(([name, value]) => ({ name, value }))];
}
