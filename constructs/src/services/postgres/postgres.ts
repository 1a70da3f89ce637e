import { FORMER_POSTGRES_USER, POSTGRES_PORT } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { ConfigFiles } from '../../base/config-files.ts';
import type { Database, DatabaseServer } from '../../base/database.ts';
import { claim, files, scratch, secretFiles } from '../../base/mount.ts';
import { labelsOf } from '../../base/names.ts';
import type { Namespace } from '../../base/namespace.ts';
import type { Resources } from '../../base/pod.ts';
import { Secret } from '../../base/secret.ts';
import { partOf } from '../../base/sections/resources-section.ts';
import { Workload } from '../../base/workload.ts';
import { upstreamImage } from '../../upstream-image.ts';
import { type ExternalPostgresProps, externalPostgres } from './external.ts';
import { HAND_OVER, HBA, PASSWD, POSTGRES_USER, prepareScript, START } from './files.ts';

/** What a {@link Postgres} is made of. */
export interface PostgresProps {
  /** The namespace that it runs in. */
  readonly namespace: Namespace;
  /** Reference of the image. @default the published one of this release */
  readonly image?: string;
  /** User and group that it runs as. @default the platform's number for PostgreSQL */
  readonly user?: number;
  /** Processor and memory. @default 0.1 core, 384Mi, at most 576Mi */
  readonly resources?: Resources;
  /** Size of the volume, as Kubernetes writes it. @default 10Gi */
  readonly size?: string;
  /** Name of the volume's StorageClass. @default the cluster's default */
  readonly storageClass?: string | undefined;
}

const DATA = '/var/lib/postgresql/data';

/** Processor and memory where the props say none. */
export const POSTGRES_RESOURCES: Resources = { cpu: '100m', memory: '384Mi', memoryLimit: '576Mi' };

/**
 * One PostgreSQL with one volume, which stays when the StatefulSet goes. Its name, and the beginning of the names of its
 * Secrets, is its id: two of them live side by side.
 * @example
 * const postgres = new Postgres(chart, 'postgres', { namespace, size: '20Gi' });
 * const { host, port, user, password, peer } = postgres.database('mlflow');
 * @see https://www.postgresql.org/docs/17/
 */
export class Postgres extends Construct implements DatabaseServer {
  /** Its Pods, Service and connections. */
  readonly workload: Workload;
  readonly #namespace: Namespace;
  readonly #databases = new Map<string, Database>();
  readonly #secrets = new Map<string, Secret>();

  constructor(scope: Construct, id: string, props: PostgresProps) {
    super(scope, id);
    this.#namespace = props.namespace;
    const config = new ConfigFiles(this, 'config', {
      namespace: props.namespace,
      name: id,
      labels: labelsOf(id),
      files: () => ({
        'hand-over.sh': HAND_OVER,
        'prepare.sh': prepareScript([...this.#databases.keys()].sort(), id),
        'start.sh': START,
        'pg_hba.conf': HBA,
        passwd: PASSWD,
      }),
    });
    this.#secret('admin');
    const ready = {
      command: ['pg_isready', '--quiet', '--host=127.0.0.1', '--username=postgres', '--dbname=postgres'],
    };
    this.workload = new Workload(this, 'workload', {
      namespace: props.namespace,
      name: id,
      runs: { kind: 'stateful-set', replicas: 1 },
      image: props.image ?? upstreamImage('postgres'),
      user: props.user ?? POSTGRES_USER,
      resources: props.resources ?? POSTGRES_RESOURCES,
      command: [
        '/bin/sh',
        '/etc/postgres/start.sh',
        ...settings(props.resources ?? POSTGRES_RESOURCES).flatMap((setting) => ['-c', setting]),
      ],
      env: () => [{ name: 'PGDATA', value: `${DATA}/pgdata` }],
      ports: { postgres: POSTGRES_PORT },
      mounts: () => [
        claim('data', DATA, props.size ?? '10Gi', props.storageClass),
        files(config, '/etc/postgres', { name: 'config' }),
        files(config, '/etc/passwd', { name: 'config', only: 'passwd' }),
        scratch('run', '/var/run/postgresql', '1Mi', 'memory'),
        scratch('tmp', '/tmp', '256Mi'),
        scratch('shm', '/dev/shm', '128Mi', 'memory'),
      ],
      before: [
        { name: 'hand-over', command: ['/bin/sh', '/etc/postgres/hand-over.sh'], user: FORMER_POSTGRES_USER },
        {
          name: 'prepare',
          command: ['/bin/sh', '/etc/postgres/prepare.sh'],
          mounts: () =>
            [...this.#secrets].map(([name, secret]) =>
              secretFiles(secret, `/run/passwords/${name}`, `password-${name}`),
            ),
        },
      ],
      // The fast shutdown, which writes a checkpoint. The kubelet's SIGTERM alone would wait for every client to leave.
      preStop: ['/bin/sh', '-c', 'kill -INT 1'],
      graceSeconds: 60,
      probes: {
        startupProbe: { exec: ready, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 300 },
        readinessProbe: { exec: ready, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 },
        livenessProbe: {
          tcpSocket: { port: k8s.IntOrString.fromString('postgres') },
          periodSeconds: 10,
          timeoutSeconds: 5,
          failureThreshold: 6,
        },
      },
    });
  }

  /**
   * A PostgreSQL that is there already, with its databases, their owners and the Secrets with their passwords.
   * @example
   * const postgres = Postgres.external({
   *   host: '10.20.0.5',
   *   databases: {
   *     mlflow: { password: { secret: Secret.external({ namespace, name: 'mlflow-database' }), key: 'password' } },
   *   },
   * });
   * const mlflow = postgres.database('mlflow');
   */
  static external(props: ExternalPostgresProps): DatabaseServer {
    return externalPostgres(props);
  }

  database(name: string): Database {
    const known = this.#databases.get(name);
    if (known !== undefined) return known;
    const secret = this.#secret(name);
    const database: Database = {
      host: this.workload.host,
      port: POSTGRES_PORT,
      name,
      user: name,
      password: { secret, key: 'password' },
      peer: this.workload.peer('postgres'),
      ready: [this.workload],
    };
    this.#databases.set(name, database);
    this.workload.after(secret);
    return database;
  }

  #secret(name: string): Secret {
    const secret = new Secret(this, `secret-${name}`, {
      namespace: this.#namespace,
      name: `${this.node.id}-${name}`,
      sources: {
        password: { kind: 'password', rotation: { kind: 'role', role: name === 'admin' ? 'postgres' : name } },
      },
    });
    this.#secrets.set(name, secret);
    return secret;
  }
}

const settings = ({ memory }: Resources): readonly string[] => [
  'listen_addresses=*',
  'hba_file=/etc/postgres/pg_hba.conf',
  'unix_socket_directories=/var/run/postgresql',
  'password_encryption=scram-sha-256',
  'max_connections=100',
  `shared_buffers=${partOf(memory, 1 / 4)}MB`,
  'max_wal_size=512MB',
  'log_line_prefix=%m [%p] %u@%d ',
  // A statement in the log may hold a password.
  'log_min_error_statement=panic',
];
