import { FORMER_POSTGRES_USER, POSTGRES_PORT } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { ConfigFiles } from '../../base/config-files.ts';
import type { Database, DatabaseServer } from '../../base/database.ts';
import { claim, files, type Mount, scratch, secretFiles } from '../../base/mount.ts';
import { hostOf, labelsOf } from '../../base/names.ts';
import type { Namespace } from '../../base/namespace.ts';
import type { Probes, Resources, Step, WorkloadPod } from '../../base/pod.ts';
import { Secret } from '../../base/secret.ts';
import { Workload, type WorkloadProps } from '../../base/workload.ts';
import { upstreamImage } from '../../upstream-image.ts';
import { type ExternalPostgresProps, externalPostgres } from './external.ts';
import {
  FOLLOWER_ROLE,
  followedHba,
  HAND_OVER,
  HBA,
  MEMBER_SECRETS,
  MEMBERS_HBA,
  PASSWD,
  POSTGRES_USER,
  prepareScript,
  reconcileScript,
  START,
} from './files.ts';
import {
  DATABASE_LABEL,
  MEMBER_PARAMETERS,
  MEMBER_PROBES,
  MemberObjects,
  memberSettings,
  PATRONI_PORT,
  primaryOf,
  rotationOf,
} from './members.ts';
import { settings } from './settings.ts';

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
  /** Several members instead of one, each with a volume and a copy of all. @default one */
  readonly members?: PostgresMembers;
  /** An archive follows its log ({@link Postgres.follower}). @default none does */
  readonly followed?: boolean;
}

/** Who follows the log of a {@link Postgres}: it may read all of it, and copy all databases. */
export type Follower = Pick<Database, 'host' | 'port' | 'user' | 'password' | 'peer'> & {
  /** Name of its replication slot, by which the log is kept until it has it, up to an eighth of the volume. */
  readonly slot: string;
};

/** Members of a {@link Postgres}, of which one is the primary at a time. */
export interface PostgresMembers {
  /** How many. Three go on when any one is lost. */
  readonly replicas: number;
  /** Reference of their image, which has Patroni. */
  readonly image: string;
  /** Where the Kubernetes API server answers, in which they agree who is the primary. */
  readonly apiServer: { readonly addresses: readonly string[]; readonly port: number };
}

const DATA = '/var/lib/postgresql/data';

/** Processor and memory where the props say none. */
export const POSTGRES_RESOURCES: Resources = { cpu: '100m', memory: '384Mi', memoryLimit: '576Mi' };

/**
 * One PostgreSQL with one volume, which stays when the StatefulSet goes; or several members, each with one. Its name, and the
 * beginning of the names of its Secrets, is its id: two of them live side by side.
 * @example
 * const postgres = new Postgres(chart, 'postgres', { namespace, size: '20Gi' });
 * const { host, port, user, password, peer } = postgres.database('mlflow');
 * @see https://www.postgresql.org/docs/17/
 */
export class Postgres extends Construct implements DatabaseServer {
  /** Its Pods, Service and connections. */
  readonly workload: Workload;
  /** Where its clients reach it: the primary, where there are members. */
  readonly host: string;
  /** Of each volume. */
  readonly size: string;
  readonly #namespace: Namespace;
  readonly #databases = new Map<string, Database>();
  readonly #secrets = new Map<string, Secret>();

  constructor(scope: Construct, id: string, props: PostgresProps) {
    super(scope, id);
    const { members, namespace, followed = false } = props;
    this.#namespace = namespace;
    this.#secret('admin');
    if (members !== undefined) for (const name of MEMBER_SECRETS) this.#secret(name);
    if (followed) this.#secret(FOLLOWER_ROLE);
    const { resources = POSTGRES_RESOURCES, size = '10Gi' } = props;
    this.size = size;
    const config = new ConfigFiles(this, 'config', {
      namespace,
      name: id,
      labels: labelsOf(id),
      files: () => {
        const databases = [...this.#databases.keys()].sort();
        const wanted = { databases, server: id, members: members !== undefined, followed };
        const hba = members === undefined ? HBA : MEMBERS_HBA;
        return {
          'hand-over.sh': HAND_OVER,
          'prepare.sh': prepareScript(wanted),
          passwd: PASSWD,
          'pg_hba.conf': followed ? followedHba(hba) : hba,
          ...(members === undefined
            ? { 'start.sh': START }
            : {
                'reconcile.sh': reconcileScript(wanted),
                'patroni.json': memberSettings(
                  id,
                  { ...settings(resources, size), ...MEMBER_PARAMETERS },
                  followed ? [SLOT] : [],
                ),
              }),
        };
      },
    });
    const passwords = (): readonly Mount[] =>
      [...this.#secrets].map(([name, secret]) => secretFiles(secret, `/run/passwords/${name}`, `password-${name}`));
    const shape = members === undefined ? alone(props, passwords) : oneOf(id, members, passwords);
    this.workload = new Workload(this, 'workload', {
      namespace,
      name: id,
      user: props.user ?? POSTGRES_USER,
      resources,
      ...shape,
      mounts: () => [
        claim('data', DATA, size, props.storageClass),
        files(config, '/etc/postgres', { name: 'config' }),
        files(config, '/etc/passwd', { name: 'config', only: 'passwd' }),
        scratch('run', '/var/run/postgresql', '1Mi', 'memory'),
        scratch('tmp', '/tmp', '256Mi'),
        scratch('shm', '/dev/shm', '128Mi', 'memory'),
        ...shape.mounts(),
      ],
      graceSeconds: 60,
    });
    this.host = this.workload.host;
    if (members === undefined) return;
    this.host = hostOf(primaryOf(id), namespace.name);
    const api = { kind: 'addresses', addresses: members.apiServer.addresses, ports: [members.apiServer.port] } as const;
    this.workload.reach(this.workload.peer('postgres', 'patroni'), api);
    const objects = new MemberObjects(this, 'members', { namespace, name: id, replicas: members.replicas });
    this.workload.after(objects);
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
      host: this.host,
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

  /** The one who may follow its log. @throws Error where it is not `followed` */
  follower(): Follower {
    const secret = this.#secrets.get(FOLLOWER_ROLE);
    if (secret === undefined) throw new Error(`${this.node.path} is not \`followed\`: it has no role for a follower`);
    return {
      host: this.host,
      port: POSTGRES_PORT,
      user: FOLLOWER_ROLE,
      password: { secret, key: 'password' },
      peer: this.workload.peer('postgres'),
      slot: SLOT,
    };
  }

  #secret(name: string): Secret {
    const secret = new Secret(this, `secret-${name}`, {
      namespace: this.#namespace,
      name: `${this.node.id}-${name}`,
      sources: { password: { kind: 'password', rotation: rotationOf(name) } },
    });
    this.#secrets.set(name, secret);
    return secret;
  }
}

/** The part of PostgreSQL's workload that differs from one form of it to another. */
type Shape = Pick<WorkloadProps, 'runs' | 'image' | 'command' | 'ports' | 'rereadsSecrets'> &
  Pick<WorkloadPod, 'labels' | 'kubernetesToken' | 'preStop' | 'podPorts'> & {
    readonly env: () => readonly k8s.EnvVar[];
    readonly mounts: () => readonly Mount[];
    readonly before: readonly Step[];
    readonly probes: Probes;
  };

/** Of the archive. */
const SLOT = 'archive';

const PGDATA: k8s.EnvVar = { name: 'PGDATA', value: `${DATA}/pgdata` };
const HANDS_OVER: Step = {
  name: 'hand-over',
  command: ['/bin/sh', '/etc/postgres/hand-over.sh'],
  user: FORMER_POSTGRES_USER,
};

/** One that is alone. */
function alone(props: PostgresProps, passwords: () => readonly Mount[]): Shape {
  const ready = {
    command: ['pg_isready', '--quiet', '--host=127.0.0.1', '--username=postgres', '--dbname=postgres'],
  };
  return {
    runs: { kind: 'stateful-set', replicas: 1 },
    image: props.image ?? upstreamImage('postgres'),
    command: [
      '/bin/sh',
      '/etc/postgres/start.sh',
      '-c',
      'listen_addresses=*',
      ...Object.entries({
        ...settings(props.resources ?? POSTGRES_RESOURCES, props.size ?? '10Gi'),
        // A follower that comes back finds what it had last, by which it knows the database.
        ...(props.followed === true ? { wal_keep_size: MEMBER_PARAMETERS.wal_keep_size } : {}),
      }).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
    ],
    env: () => [PGDATA],
    ports: { postgres: POSTGRES_PORT },
    mounts: () => [],
    before: [HANDS_OVER, { name: 'prepare', command: ['/bin/sh', '/etc/postgres/prepare.sh'], mounts: passwords }],
    // The fast shutdown, which writes a checkpoint. The kubelet's SIGTERM alone would wait for every client to leave.
    preStop: ['/bin/sh', '-c', 'kill -INT 1'],
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
  };
}

/** One of several, which Patroni starts and ends. */
function oneOf(id: string, { replicas, image }: PostgresMembers, passwords: () => readonly Mount[]): Shape {
  const field = (name: string, fieldPath: string): k8s.EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  return {
    runs: { kind: 'stateful-set', replicas, members: true },
    image,
    command: ['python3', '-m', 'delos_postgres.start'],
    rereadsSecrets: true,
    labels: { [DATABASE_LABEL]: primaryOf(id) },
    kubernetesToken: true,
    env: () => [
      PGDATA,
      field('POD_NAME', 'metadata.name'),
      field('POD_NAMESPACE', 'metadata.namespace'),
      field('POD_IP', 'status.podIP'),
    ],
    ports: { postgres: POSTGRES_PORT, patroni: PATRONI_PORT },
    podPorts: ['patroni'],
    mounts: () => [scratch('patroni', '/run/patroni', '1Mi', 'memory'), ...passwords()],
    before: [HANDS_OVER],
    probes: MEMBER_PROBES,
  };
}
