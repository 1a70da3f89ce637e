import {
  AGENT_ACCOUNT,
  type IdentitySpec,
  type PlatformConfig,
  projectNamespace,
  SERVICE_USERS,
  type StandIn,
} from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { AgentRights } from './agent-rights.ts';
import { KEYCLOAK_ADMIN, KEYCLOAK_PATH } from './keycloak.ts';
import { ManagedSecret } from './managed-secret.ts';
import { hostOf, NODE_NAMESPACE, PART_OF, PLATFORM_NAMESPACE, PORTS } from './names.ts';
import { canonicalJson, platformSettings } from './platform-settings.ts';
import { passwordSecretOf } from './postgres.ts';
import { RuntimeService } from './runtime-service.ts';
import type { SynthesisContext } from './synthesis.ts';

export interface ControlPlaneProps {
  readonly config: PlatformConfig;
  readonly identity: IdentitySpec;
  /** Image of every runtime service. */
  readonly image: string;
  readonly publicUrl: string;
  readonly apiServer: SynthesisContext['apiServer'];
  readonly standIns: readonly StandIn[];
  /** Whether the nodes have user namespaces for Pods. */
  readonly userNamespaces: boolean;
  /** What must be there before the control API: the database. Keycloak is waited for by its `migrate` step. */
  readonly database: Construct;
}

const AGENT_SECRET = 'agent-token';
const COLLECTOR_SECRET = 'collector-token';
const PASSWORDS_SECRET = 'identity-passwords';
const ISSUER_SECRET = 'token-issuer';
const CONFIG_DIR = '/etc/delos';
const SECRETS_DIR = '/etc/delos-secrets';

/** A Secret as a folder of files, one a key. */
const mounted = (name: string) => ({ name, mountPath: `${SECRETS_DIR}/${name}` });
/** The file of a Secret's key, where {@link mounted} puts it. */
const fileOf = (secret: string, key: string): string => `${SECRETS_DIR}/${secret}/${key}`;
const DATABASE_SECRET = passwordSecretOf('delos');

const POSTGRES = { kind: 'part', name: 'postgres', ports: [PORTS.postgres] } as const;
const CONTROL_API = { kind: 'part', name: 'control-api', ports: [PORTS.internal] } as const;
const DNS = { kind: 'dns' } as const;

/** Digest → what it really is, as the agent reads it. */
function byDigest(standIns: readonly StandIn[]): string {
  return JSON.stringify(Object.fromEntries(standIns.map(({ digest, standIn }) => [digest, standIn])));
}

/** Of one pool alone every node is one, labelled or not. */
function onlyPool({ nodePools }: PlatformConfig): readonly k8s.EnvVar[] {
  const [first, second] = nodePools;
  return first !== undefined && second === undefined ? [{ name: 'DELOS_ONLY_POOL', value: first.name }] : [];
}

const run = (service: string): readonly string[] => ['node', '/app/delos-runtime.mjs', service];

/** Control API, scheduler, agent and log collector. Only the agent holds a Kubernetes token. */
export class ControlPlane extends Construct {
  constructor(scope: Construct, id: string, props: ControlPlaneProps) {
    super(scope, id);
    // Read by the control API alone, whose `migrate` writes it to the database; the others learn of it there.
    const data = {
      'platform.json': platformSettings(props.config),
      'identity.json': canonicalJson(props.identity),
    };
    const config = new k8s.KubeConfigMap(this, 'config', {
      metadata: { name: 'platform', namespace: PLATFORM_NAMESPACE, labels: { ...PART_OF } },
      data,
    });
    const secrets = this.#secrets(props);
    const shared = this.#environment(props);
    const { services } = props.config;

    const api = new RuntimeService(this, 'control-api', {
      name: 'control-api',
      image: props.image,
      command: run('api'),
      init: [
        {
          name: 'migrate',
          command: run('migrate'),
          env: [
            { name: 'DELOS_KEYCLOAK_CLIENT_SECRET_FILE', value: fileOf(KEYCLOAK_ADMIN.secret, KEYCLOAK_ADMIN.key) },
            { name: 'DELOS_IDENTITY_PASSWORDS', value: mounted(PASSWORDS_SECRET).mountPath },
          ],
          secrets: [mounted(KEYCLOAK_ADMIN.secret), mounted(PASSWORDS_SECRET)],
        },
      ],
      user: SERVICE_USERS['control-api'],
      userNamespace: props.userNamespaces,
      env: [...shared.common, ...shared.database, ...shared.api],
      replicas: services.controlApi.replicas,
      ports: { http: PORTS.http },
      config: [{ name: 'platform', mountPath: CONFIG_DIR, data }],
      secrets: [DATABASE_SECRET, AGENT_SECRET, COLLECTOR_SECRET, ISSUER_SECRET].map(mounted),
      memory: { request: '96Mi', limit: '256Mi' },
      ingress: [
        { kind: 'part', name: 'gateway', ports: [PORTS.http] },
        { kind: 'part', name: 'agent', ports: [PORTS.internal] },
        { kind: 'part', name: 'collector', namespace: NODE_NAMESPACE, ports: [PORTS.internal] },
      ],
      egress: [POSTGRES, { kind: 'part', name: 'keycloak', ports: [PORTS.http] }, DNS],
    });
    api.workload.addDependency(props.database, config, ...secrets);

    const scheduler = new RuntimeService(this, 'scheduler', {
      name: 'scheduler',
      image: props.image,
      command: run('scheduler'),
      user: SERVICE_USERS.scheduler,
      userNamespace: props.userNamespaces,
      env: [...shared.common, ...shared.database],
      secrets: [mounted(DATABASE_SECRET)],
      replicas: services.scheduler.replicas,
      egress: [POSTGRES, DNS],
    });
    // Its tables are made by the control API's `migrate`, for which it waits itself: their starts overlap.
    scheduler.workload.addDependency(props.database, ...secrets);

    const rights = new AgentRights(this, 'agent-rights', {
      serviceAccount: AGENT_ACCOUNT,
      privilegedNamespaces: props.config.organizations.flatMap((org) =>
        org.projects.filter(({ privileged }) => privileged).map(({ name }) => projectNamespace(org.name, name)),
      ),
    });
    const agent = new RuntimeService(this, 'agent', {
      name: AGENT_ACCOUNT,
      image: props.image,
      command: run('agent'),
      user: SERVICE_USERS.agent,
      userNamespace: props.userNamespaces,
      secrets: [mounted(AGENT_SECRET)],
      env: [
        ...shared.common,
        shared.apiUrl,
        { name: 'DELOS_AGENT_TOKEN_FILE', value: fileOf(AGENT_SECRET, 'token') },
        { name: 'POD_NAMESPACE', value: PLATFORM_NAMESPACE },
        ...onlyPool(props.config),
        ...(props.standIns.length === 0 ? [] : [{ name: 'DELOS_STAND_INS', value: byDigest(props.standIns) }]),
      ],
      replicas: services.agent.replicas,
      recreate: true,
      kubernetesToken: true,
      egress: [
        { kind: 'addresses', addresses: props.apiServer.addresses, ports: [props.apiServer.port] },
        CONTROL_API,
        DNS,
      ],
    });
    agent.workload.addDependency(rights, ...secrets);

    const collector = new RuntimeService(this, 'collector', {
      name: 'collector',
      namespace: NODE_NAMESPACE,
      image: props.image,
      command: run('collector'),
      env: [
        ...shared.common,
        shared.apiUrl,
        { name: 'DELOS_COLLECTOR_TOKEN_FILE', value: fileOf(COLLECTOR_SECRET, 'token') },
        { name: 'DELOS_NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      ],
      replicas: 'every-node',
      user: SERVICE_USERS.collector,
      // The group that container runtimes let read a container's log.
      groups: [0],
      hostPaths: ['/var/log/pods'],
      secrets: [mounted(COLLECTOR_SECRET)],
      egress: [CONTROL_API, DNS],
    });
    collector.workload.addDependency(...secrets);
  }

  #secrets(props: ControlPlaneProps): readonly ManagedSecret[] {
    const namespace = PLATFORM_NAMESPACE;
    const passwords = props.identity.users.map(({ username }) => [username, { kind: 'password', length: 20 } as const]);
    return [
      new ManagedSecret(this, 'agent-secret', {
        name: AGENT_SECRET,
        namespace,
        sources: { token: { kind: 'password', length: 48 } },
      }),
      // In the namespace of each who needs it: the collectors that send it, and the control API that expects it.
      new ManagedSecret(this, 'collector-secret', {
        name: COLLECTOR_SECRET,
        namespace: NODE_NAMESPACE,
        sources: { token: { kind: 'same-as', namespace, ref: `${COLLECTOR_SECRET}/token` } },
      }),
      new ManagedSecret(this, 'collector-secret-api', {
        name: COLLECTOR_SECRET,
        namespace,
        sources: { token: { kind: 'password', length: 48 } },
      }),
      new ManagedSecret(this, 'passwords', {
        name: PASSWORDS_SECRET,
        namespace,
        sources: Object.fromEntries(passwords),
      }),
      new ManagedSecret(this, 'issuer', {
        name: ISSUER_SECRET,
        namespace,
        sources: { secret: { kind: 'password', length: 48 } },
      }),
    ];
  }

  #environment(props: ControlPlaneProps) {
    const realm = `${KEYCLOAK_PATH}/realms/${props.identity.realm}`;
    const keycloak = `http://${hostOf('keycloak')}:${PORTS.http}`;
    const env = (name: string, value: string): k8s.EnvVar => ({ name, value });
    return {
      common: [
        env('DELOS_CLUSTER', props.config.cluster.name),
        env('DELOS_PUBLIC_URL', props.publicUrl),
        { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        // Well below the limit: buffers live outside the heap.
        env('NODE_OPTIONS', '--max-old-space-size=160 --max-semi-space-size=4'),
      ],
      database: [
        env('PGHOST', hostOf('postgres')),
        env('PGPORT', String(PORTS.postgres)),
        env('PGUSER', 'delos'),
        env('PGDATABASE', 'delos'),
        env('PGPASSWORD_FILE', fileOf(DATABASE_SECRET, 'password')),
      ],
      api: [
        env('DELOS_CONFIG', `${CONFIG_DIR}/platform.json`),
        env('DELOS_OIDC_ISSUER', `${props.publicUrl}${realm}`),
        env('DELOS_OIDC_JWKS_URL', `${keycloak}${realm}/protocol/openid-connect/certs`),
        env('DELOS_KEYCLOAK_URL', `${keycloak}${KEYCLOAK_PATH}`),
        env('DELOS_IDENTITY', `${CONFIG_DIR}/identity.json`),
        env('DELOS_IDENTITY_ISSUER', fileOf(ISSUER_SECRET, 'secret')),
        env('DELOS_AGENT_TOKEN_FILE', fileOf(AGENT_SECRET, 'token')),
        env('DELOS_COLLECTOR_TOKEN_FILE', fileOf(COLLECTOR_SECRET, 'token')),
      ],
      apiUrl: env('DELOS_API_URL', `http://${hostOf('control-api')}:${PORTS.internal}`),
    };
  }
}
