import { SERVICE_USERS } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { CHECKSUM_ANNOTATION, checksum } from './checksum.ts';
import { ADMIN_KEY, CONFIGURATION, SECRETS, START } from './keycloak-files.ts';
import { ManagedSecret } from './managed-secret.ts';
import { hostOf, labelsOf, PLATFORM_NAMESPACE, PORTS, PRIORITY_CLASSES, selectorOf } from './names.ts';
import { partPolicy } from './network.ts';
import { passwordSecretOf } from './postgres.ts';
import { CONTAINER_SECURITY, podSecurity, SECRET_MODE } from './security.ts';

export interface KeycloakProps {
  readonly image: string;
  /** No trailing slash. */
  readonly publicUrl: string;
  /** Whether the nodes have user namespaces for Pods. */
  readonly userNamespaces: boolean;
}

/** The first administrator of Keycloak itself: a client that the reconciliation of the realm signs in as. */
export const KEYCLOAK_ADMIN = { clientId: 'delos-operator', secret: 'keycloak-admin', key: ADMIN_KEY } as const;
export const KEYCLOAK_PATH = '/auth';

/** One Keycloak. Its realm is made and kept by the control API's `migrate` step, not imported: an import is done once. */
export class Keycloak extends Construct {
  readonly workload: k8s.KubeStatefulSet;

  constructor(scope: Construct, id: string, props: KeycloakProps) {
    super(scope, id);
    const metadata = { name: 'keycloak', namespace: PLATFORM_NAMESPACE, labels: { ...labelsOf('keycloak') } };
    const files = { 'configuration.sh': CONFIGURATION, 'start.sh': START };
    const secret = new ManagedSecret(this, 'admin-secret', {
      name: KEYCLOAK_ADMIN.secret,
      namespace: PLATFORM_NAMESPACE,
      sources: { [KEYCLOAK_ADMIN.key]: { kind: 'password', length: 40 } },
    });
    const config = new k8s.KubeConfigMap(this, 'config', { metadata, data: files });
    const serviceAccount = new k8s.KubeServiceAccount(this, 'service-account', {
      metadata,
      automountServiceAccountToken: false,
    });
    const policy = partPolicy(this, 'policy', {
      name: 'keycloak',
      ingress: ['gateway', 'control-api'].map((name) => ({ kind: 'part', name, ports: [PORTS.http] })),
      egress: [{ kind: 'part', name: 'postgres', ports: [PORTS.postgres] }, { kind: 'dns' }],
    });
    new k8s.KubeService(this, 'service', {
      metadata,
      spec: {
        selector: { ...selectorOf('keycloak') },
        ports: [{ name: 'http', port: PORTS.http, targetPort: k8s.IntOrString.fromString('http') }],
      },
    });
    this.workload = new k8s.KubeStatefulSet(this, 'stateful-set', {
      metadata,
      spec: {
        serviceName: 'keycloak',
        replicas: 1,
        selector: { matchLabels: { ...selectorOf('keycloak') } },
        template: {
          metadata: {
            labels: { ...labelsOf('keycloak') },
            annotations: { [CHECKSUM_ANNOTATION]: checksum(files) },
          },
          spec: podSpec(props),
        },
      },
    });
    this.workload.addDependency(secret, config, serviceAccount, policy);
  }
}

const SECRET_VOLUMES = [
  { name: 'secret-database', folder: 'database', secretName: passwordSecretOf('keycloak') },
  { name: 'secret-admin', folder: 'admin', secretName: KEYCLOAK_ADMIN.secret },
] as const;

function podSpec(props: KeycloakProps): k8s.PodSpec {
  const management = (path: string): k8s.HttpGetAction => ({ path, port: k8s.IntOrString.fromString('management') });
  return {
    serviceAccountName: 'keycloak',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    priorityClassName: PRIORITY_CLASSES.platform,
    terminationGracePeriodSeconds: 30,
    // Group 0, as the upstream image's files have it.
    securityContext: podSecurity(SERVICE_USERS.keycloak, [0]),
    ...(props.userNamespaces ? { hostUsers: false } : {}),
    containers: [
      {
        name: 'keycloak',
        image: props.image,
        imagePullPolicy: 'IfNotPresent',
        command: ['/bin/sh', '/etc/keycloak/start.sh'],
        env: environment(props),
        ports: [
          { name: 'http', containerPort: PORTS.http },
          { name: 'management', containerPort: PORTS.keycloakManagement },
        ],
        securityContext: CONTAINER_SECURITY,
        // A first start makes a hundred tables, and may build before: minutes on a slow machine.
        startupProbe: {
          httpGet: management('/health/started'),
          periodSeconds: 2,
          timeoutSeconds: 5,
          failureThreshold: 300,
        },
        readinessProbe: {
          httpGet: management('/health/ready'),
          periodSeconds: 5,
          timeoutSeconds: 5,
          failureThreshold: 3,
        },
        livenessProbe: {
          httpGet: management('/health/live'),
          periodSeconds: 10,
          timeoutSeconds: 10,
          failureThreshold: 6,
        },
        resources: {
          requests: { cpu: k8s.Quantity.fromString('100m'), memory: k8s.Quantity.fromString('832Mi') },
          limits: { memory: k8s.Quantity.fromString('1Gi') },
        },
        volumeMounts: [
          { name: 'config', mountPath: '/etc/keycloak', readOnly: true },
          { name: 'data', mountPath: '/opt/keycloak/data' },
          { name: 'build', mountPath: '/build' },
          { name: 'tmp', mountPath: '/tmp' },
          { name: 'run', mountPath: '/run/keycloak' },
          ...SECRET_VOLUMES.map(({ name, folder }) => ({
            name,
            mountPath: `${SECRETS}/${folder}`,
            readOnly: true,
          })),
        ],
      },
    ],
    volumes: [
      { name: 'config', configMap: { name: 'keycloak' } },
      { name: 'run', emptyDir: { medium: 'Memory', sizeLimit: k8s.Quantity.fromString('1Mi') } },
      ...SECRET_VOLUMES.map(({ name, secretName }) => ({ name, secret: { secretName, defaultMode: SECRET_MODE } })),
      { name: 'data', emptyDir: { sizeLimit: k8s.Quantity.fromString('256Mi') } },
      { name: 'build', emptyDir: { sizeLimit: k8s.Quantity.fromString('1Gi') } },
      { name: 'tmp', emptyDir: { sizeLimit: k8s.Quantity.fromString('256Mi') } },
    ],
  };
}

function environment(props: KeycloakProps): k8s.EnvVar[] {
  const plain: Readonly<Record<string, string>> = {
    KC_DB: 'postgres',
    KC_DB_URL_HOST: hostOf('postgres'),
    KC_DB_URL_DATABASE: 'keycloak',
    KC_DB_USERNAME: 'keycloak',
    KC_DB_POOL_MAX_SIZE: '20',
    KC_HOSTNAME: `${props.publicUrl}${KEYCLOAK_PATH}`,
    // Services inside the cluster ask by its Service's name; what it issues names the public one.
    KC_HOSTNAME_BACKCHANNEL_DYNAMIC: 'true',
    KC_HTTP_RELATIVE_PATH: KEYCLOAK_PATH,
    KC_HTTP_MANAGEMENT_RELATIVE_PATH: '/',
    KC_HTTP_ENABLED: 'true',
    KC_PROXY_HEADERS: 'xforwarded',
    KC_HEALTH_ENABLED: 'true',
    KC_METRICS_ENABLED: 'true',
    KC_CACHE: 'local',
    KC_LOG_CONSOLE_OUTPUT: 'json',
    KC_BOOTSTRAP_ADMIN_CLIENT_ID: KEYCLOAK_ADMIN.clientId,
    // Its user has no entry in the image's /etc/passwd: Java's user.home is this.
    HOME: '/opt/keycloak/data',
    JAVA_OPTS_KC_HEAP: '-Xms128m -Xmx400m',
    // Measured: a start costs 24 s of one core and 360 MB; with the optimizing compiler and G1, 49 s and 465 MB.
    JAVA_OPTS_APPEND: '-XX:-UseG1GC -XX:+UseSerialGC -XX:TieredStopAtLevel=1',
  };
  return Object.entries(plain).map(([name, value]) => ({ name, value }));
}
