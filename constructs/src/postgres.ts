import { FORMER_POSTGRES_USER, SERVICE_USERS } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { CHECKSUM_ANNOTATION, checksum } from './checksum.ts';
import { ManagedSecret } from './managed-secret.ts';
import { labelsOf, PLATFORM_NAMESPACE, PORTS, PRIORITY_CLASSES, selectorOf } from './names.ts';
import { partPolicy } from './network.ts';
import { HAND_OVER, HBA, PASSWD, prepareScript } from './postgres-files.ts';
import { CONTAINER_SECURITY, podSecurity, SECRET_MODE } from './security.ts';

export interface PostgresProps {
  readonly image: string;
  /** Each a database, its owner of the same name, and a Secret `postgres-NAME` with its password. */
  readonly databases: readonly string[];
  /** Parts that may connect. */
  readonly clients: readonly string[];
  /** @default the cluster's default */
  readonly storageClass: string | undefined;
}

const DATA = '/var/lib/postgresql/data';
const PGDATA = `${DATA}/pgdata`;

export const passwordSecretOf = (database: string): string => `postgres-${database}`;

/** One PostgreSQL with one volume, which stays when the StatefulSet goes. */
export class Postgres extends Construct {
  readonly workload: k8s.KubeStatefulSet;

  constructor(scope: Construct, id: string, props: PostgresProps) {
    super(scope, id);
    const metadata = { name: 'postgres', namespace: PLATFORM_NAMESPACE, labels: { ...labelsOf('postgres') } };
    const files = {
      'hand-over.sh': HAND_OVER,
      'prepare.sh': prepareScript(props.databases),
      'pg_hba.conf': HBA,
      passwd: PASSWD,
    };
    const secrets = ['admin', ...props.databases].map(
      (name) =>
        new ManagedSecret(this, `secret-${name}`, {
          name: passwordSecretOf(name),
          namespace: PLATFORM_NAMESPACE,
          sources: { password: { kind: 'password' } },
        }),
    );
    const config = new k8s.KubeConfigMap(this, 'config', { metadata, data: files });
    const serviceAccount = new k8s.KubeServiceAccount(this, 'service-account', {
      metadata,
      automountServiceAccountToken: false,
    });
    const policy = partPolicy(this, 'policy', {
      name: 'postgres',
      ingress: props.clients.map((name) => ({ kind: 'part', name, ports: [PORTS.postgres] })),
    });
    new k8s.KubeService(this, 'service', {
      metadata,
      spec: {
        selector: { ...selectorOf('postgres') },
        ports: [{ name: 'postgres', port: PORTS.postgres, targetPort: k8s.IntOrString.fromString('postgres') }],
      },
    });
    this.workload = new k8s.KubeStatefulSet(this, 'stateful-set', {
      metadata,
      spec: {
        serviceName: 'postgres',
        replicas: 1,
        selector: { matchLabels: { ...selectorOf('postgres') } },
        template: {
          metadata: {
            labels: { ...labelsOf('postgres') },
            annotations: { [CHECKSUM_ANNOTATION]: checksum(files) },
          },
          spec: podSpec(props),
        },
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: {
              accessModes: ['ReadWriteOnce'],
              resources: { requests: { storage: k8s.Quantity.fromString('10Gi') } },
              ...(props.storageClass === undefined ? {} : { storageClassName: props.storageClass }),
            },
          },
        ],
      },
    });
    // Not on the Service: deployers take it for ready once it has endpoints.
    this.workload.addDependency(...secrets, config, serviceAccount, policy);
  }
}

function podSpec(props: PostgresProps): k8s.PodSpec {
  const container = {
    image: props.image,
    imagePullPolicy: 'IfNotPresent',
    securityContext: CONTAINER_SECURITY,
    env: [{ name: 'PGDATA', value: PGDATA }],
    volumeMounts: [
      { name: 'data', mountPath: DATA },
      { name: 'config', mountPath: '/etc/postgres', readOnly: true },
      { name: 'config', mountPath: '/etc/passwd', subPath: 'passwd', readOnly: true },
      { name: 'run', mountPath: '/var/run/postgresql' },
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'shm', mountPath: '/dev/shm' },
    ],
    resources: {
      requests: { cpu: k8s.Quantity.fromString('100m'), memory: k8s.Quantity.fromString('384Mi') },
      limits: { memory: k8s.Quantity.fromString('576Mi') },
    },
  };
  const ready = { command: ['pg_isready', '--quiet', '--host=127.0.0.1', '--username=postgres', '--dbname=postgres'] };
  const passwords = ['admin', ...props.databases];
  return {
    serviceAccountName: 'postgres',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    priorityClassName: PRIORITY_CLASSES.platform,
    // A fast shutdown writes a checkpoint.
    terminationGracePeriodSeconds: 60,
    securityContext: podSecurity(SERVICE_USERS.postgres),
    initContainers: [
      {
        ...container,
        name: 'hand-over',
        command: ['/bin/sh', '/etc/postgres/hand-over.sh'],
        securityContext: { ...CONTAINER_SECURITY, runAsUser: FORMER_POSTGRES_USER },
      },
      {
        ...container,
        name: 'prepare',
        command: ['/bin/sh', '/etc/postgres/prepare.sh'],
        volumeMounts: [
          ...container.volumeMounts,
          ...passwords.map((name) => ({
            name: `password-${name}`,
            mountPath: `/run/passwords/${name}`,
            readOnly: true,
          })),
        ],
      },
    ],
    containers: [
      {
        ...container,
        name: 'postgres',
        command: ['postgres', ...SETTINGS.flatMap((setting) => ['-c', setting])],
        ports: [{ name: 'postgres', containerPort: PORTS.postgres }],
        // The fast shutdown. The kubelet's SIGTERM alone would wait for every client to leave.
        lifecycle: { preStop: { exec: { command: ['/bin/sh', '-c', 'kill -INT 1'] } } },
        startupProbe: { exec: ready, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 300 },
        readinessProbe: { exec: ready, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 },
        livenessProbe: {
          tcpSocket: { port: k8s.IntOrString.fromString('postgres') },
          periodSeconds: 10,
          timeoutSeconds: 5,
          failureThreshold: 6,
        },
      },
    ],
    volumes: [
      { name: 'config', configMap: { name: 'postgres' } },
      ...passwords.map((name) => ({
        name: `password-${name}`,
        secret: { secretName: passwordSecretOf(name), defaultMode: SECRET_MODE },
      })),
      { name: 'run', emptyDir: { medium: 'Memory', sizeLimit: k8s.Quantity.fromString('1Mi') } },
      { name: 'tmp', emptyDir: { sizeLimit: k8s.Quantity.fromString('256Mi') } },
      { name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: k8s.Quantity.fromString('128Mi') } },
    ],
  };
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
