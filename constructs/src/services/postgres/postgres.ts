import { FORMER_POSTGRES_USER } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { ConfigFiles } from '../../base/config-files.ts';
import type { Database, DatabaseServer } from '../../base/database.ts';
import { claim, files, scratch, secretFiles } from '../../base/mount.ts';
import { labelsOf } from '../../base/names.ts';
import type { Namespace } from '../../base/namespace.ts';
import type { Resources } from '../../base/pod.ts';
import { Secret } from '../../base/secret.ts';
import { Workload } from '../../base/workload.ts';
import { HAND_OVER, HBA, PASSWD, prepareScript } from './files.ts';

export interface PostgresProps {
  readonly namespace: Namespace;
  readonly image: string;
  readonly user: number;
  readonly resources: Resources;
  /** Size of the volume. @default 10Gi */
  readonly size?: string;
  /** @default the cluster's default */
  readonly storageClass: string | undefined;
}

const DATA = '/var/lib/postgresql/data';
const PORT = 5432;

/** One PostgreSQL with one volume, which stays when the StatefulSet goes. */
export class Postgres extends Construct implements DatabaseServer {
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
        'prepare.sh': prepareScript([...this.#databases.keys()].sort()),
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
      image: props.image,
      user: props.user,
      resources: props.resources,
      command: ['postgres', ...SETTINGS.flatMap((setting) => ['-c', setting])],
      env: () => [{ name: 'PGDATA', value: `${DATA}/pgdata` }],
      ports: { postgres: PORT },
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

  database(name: string): Database {
    const known = this.#databases.get(name);
    if (known !== undefined) return known;
    const database: Database = {
      host: this.workload.host,
      port: PORT,
      name,
      user: name,
      password: { secret: this.#secret(name), key: 'password' },
      peer: this.workload.peer('postgres'),
      ready: [this.workload],
    };
    this.#databases.set(name, database);
    this.workload.after(database.password.secret);
    return database;
  }

  #secret(name: string): Secret {
    const secret = new Secret(this, `secret-${name}`, {
      namespace: this.#namespace,
      name: `${this.node.id}-${name}`,
      sources: { password: { kind: 'password' } },
    });
    this.#secrets.set(name, secret);
    return secret;
  }
}

const SETTINGS = [
  'listen_addresses=*',
  'hba_file=/etc/postgres/pg_hba.conf',
  'unix_socket_directories=/var/run/postgresql',
  'password_encryption=scram-sha-256',
  'max_connections=100',
  'shared_buffers=96MB',
  'max_wal_size=512MB',
  'log_line_prefix=%m [%p] %u@%d ',
  // A statement in the log may hold a password.
  'log_min_error_statement=panic',
];
