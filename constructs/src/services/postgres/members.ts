import { OWN_PREFIX, POSTGRES_PORT } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { labelsOf } from '../../base/names.ts';
import type { Namespace } from '../../base/namespace.ts';
import type { Probes } from '../../base/pod.ts';
import { httpGet } from '../../base/probes.ts';
import type { RotationWay } from '../../synthesis.ts';
import { MEMBER_ROLES, MEMBERS_USER } from './files.ts';

/** The port at which members answer each other, the kubelet and Prometheus. */
export const PATRONI_PORT = 8008;

/** Says of a member's Pod which database it is of. Patroni finds by it what belongs together. */
export const DATABASE_LABEL = `${OWN_PREFIX}database`;
/** Says of a member's Pod what it is at the moment. */
const ROLE_LABEL = `${OWN_PREFIX}database-role`;

/** Seconds after which a primary that was not heard of any more has lost its place: Patroni's smallest. */
const TTL = 20;
/** Seconds between two looks. */
const LOOP_WAIT = 2;
/** Seconds for which the Kubernetes API and PostgreSQL may be away before something is done about it. */
const RETRY_TIMEOUT = 6;

/**
 * Name of the Service that leads to the primary, and of its Endpoints, which also say who that is; what members agree on is kept
 * under names that begin with it.
 */
export const primaryOf = (name: string): string => `${name}-primary`;

/** How the password of the Secret of this name is rotated. Members take two of the one by which they ask each other over HTTP. */
export const rotationOf = (name: string): RotationWay =>
  name === MEMBERS_USER ? { kind: 'overlap' } : { kind: 'role', role: name === 'admin' ? 'postgres' : name };

/**
 * What all members agree on. A primary that is gone has a successor within `ttl` + `loop_wait` and the seconds of its promotion:
 * below thirty. Patroni asks that a primary can find out in time that it is none: `loop_wait` + 2 × `retry_timeout` ≤ `ttl`.
 * @see https://patroni.readthedocs.io/en/latest/dynamic_configuration.html
 */
const agreed = (parameters: Readonly<Record<string, string | number>>, slots: readonly string[]) => ({
  ttl: TTL,
  loop_wait: LOOP_WAIT,
  retry_timeout: RETRY_TIMEOUT,
  // A commit is acknowledged when any one of the others has it on its disk. With no other there, the primary goes on alone, and then
  // none of the others may take its place.
  synchronous_mode: 'quorum',
  synchronous_node_count: 1,
  // With the Kubernetes API away, the primary goes on for as long as all others say that they take it for that.
  failsafe_mode: true,
  // A crashed primary may start again for so long before another takes its place.
  primary_start_timeout: 10,
  primary_stop_timeout: 15,
  // So long the log is kept for a member that is away; within `max_slot_wal_keep_size`.
  member_slots_ttl: '1h',
  // Kept by all members, so that whoever follows the log goes on with the next primary where it was.
  ...(slots.length === 0 ? {} : { slots: Object.fromEntries(slots.map((name) => [name, { type: 'physical' }])) }),
  postgresql: {
    use_pg_rewind: true,
    use_slots: true,
    remove_data_directory_on_rewind_failure: true,
    remove_data_directory_on_diverged_timelines: true,
    parameters,
  },
});

/** Settings of every member, for `delos_postgres` in the image: it adds the member's own address and passwords. */
export function memberSettings(
  id: string,
  parameters: Readonly<Record<string, string | number>>,
  slots: readonly string[],
): string {
  const settings = {
    ports: { postgres: POSTGRES_PORT, patroni: PATRONI_PORT },
    roles: MEMBER_ROLES,
    dynamic: agreed(parameters, slots),
    local: {
      scope: primaryOf(id),
      kubernetes: {
        labels: {},
        scope_label: DATABASE_LABEL,
        role_label: ROLE_LABEL,
        // The lock of the primary and the way to it are one object, so that they change at once.
        use_endpoints: true,
        ports: [{ name: 'postgres', port: POSTGRES_PORT }],
      },
      restapi: { listen: `*:${PATRONI_PORT}` },
      postgresql: { listen: `*:${POSTGRES_PORT}`, use_unix_socket: true },
      watchdog: { mode: 'off' },
    },
  };
  return `${JSON.stringify(settings, null, 2)}\n`;
}

/** What PostgreSQL itself is told where it has members. */
export const MEMBER_PARAMETERS = {
  max_connections: 200,
  max_wal_senders: 10,
  max_replication_slots: 10,
  wal_level: 'replica',
  hot_standby: 'on',
  // For pg_rewind, which brings a former primary back.
  wal_log_hints: 'on',
  wal_keep_size: '128MB',
  // A member or client that is cut off is noticed in seconds, and what it holds is let go.
  wal_sender_timeout: '10s',
  wal_receiver_timeout: '10s',
  wal_receiver_status_interval: '2s',
  tcp_keepalives_idle: 5,
  tcp_keepalives_interval: 5,
  tcp_keepalives_count: 3,
  tcp_user_timeout: '20s',
} as const;

export const MEMBER_PROBES: Probes = {
  // A member that copies a large database is live, and not ready.
  startupProbe: {
    httpGet: httpGet('/liveness', 'patroni'),
    periodSeconds: 1,
    timeoutSeconds: 5,
    failureThreshold: 300,
  },
  readinessProbe: {
    httpGet: httpGet('/readiness', 'patroni'),
    periodSeconds: 3,
    timeoutSeconds: 5,
    failureThreshold: 3,
  },
  livenessProbe: {
    httpGet: httpGet('/liveness', 'patroni'),
    periodSeconds: 10,
    timeoutSeconds: 5,
    failureThreshold: 6,
  },
};

export interface MemberObjectsProps {
  readonly namespace: Namespace;
  /** Name of the members' workload. */
  readonly name: string;
  readonly replicas: number;
}

/** The Service that leads to the primary, and what members may do at the Kubernetes API to keep it so. */
export class MemberObjects extends Construct {
  readonly service: k8s.KubeService;

  constructor(scope: Construct, id: string, { namespace, name, replicas }: MemberObjectsProps) {
    super(scope, id);
    this.node.addDependency(namespace);
    const at = (object: string): k8s.ObjectMeta => ({
      name: object,
      namespace: namespace.name,
      labels: { ...labelsOf(name) },
    });
    const primary = primaryOf(name);
    // No selector: the primary itself writes where it is.
    this.service = new k8s.KubeService(this, 'primary', {
      metadata: at(primary),
      spec: {
        ports: [{ name: 'postgres', port: POSTGRES_PORT, targetPort: k8s.IntOrString.fromNumber(POSTGRES_PORT) }],
      },
    });
    const kept = ['config', 'failover', 'sync'].map((what) => `${primary}-${what}`);
    // Kubernetes removes Endpoints that have no Service.
    for (const object of kept) {
      new k8s.KubeService(this, object, { metadata: at(object), spec: { clusterIp: 'None' } });
    }
    const pods = Array.from({ length: replicas }, (_, nth) => `${name}-${nth}`);
    const rule = (resources: string, verbs: readonly string[], resourceNames?: readonly string[]): k8s.PolicyRule => ({
      apiGroups: [''],
      resources: [resources],
      verbs: [...verbs],
      ...(resourceNames === undefined ? {} : { resourceNames: [...resourceNames] }),
    });
    const role = new k8s.KubeRole(this, 'role', {
      metadata: at(name),
      rules: [
        // RBAC cannot narrow these by name.
        rule('endpoints', ['create', 'list', 'watch']),
        rule('endpoints', ['get', 'patch'], [primary, ...kept]),
        rule('pods', ['list', 'watch']),
        // Each member says in its own Pod's labels and annotations what it is.
        rule('pods', ['get', 'patch'], pods),
      ],
    });
    const binding = new k8s.KubeRoleBinding(this, 'binding', {
      metadata: at(name),
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace: namespace.name }],
    });
    binding.addDependency(role);
  }
}
