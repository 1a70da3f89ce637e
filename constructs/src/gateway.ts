import { isIPv4 } from 'node:net';
import { SERVICE_USERS } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { type CaddyfileProps, caddyfile, landingPage } from './caddyfile.ts';
import type { Exposure } from './entrance.ts';
import { ManagedSecret } from './managed-secret.ts';
import { labelsOf, PLATFORM_NAMESPACE, PORTS } from './names.ts';
import { isLoopback } from './public-url.ts';
import { RuntimeService } from './runtime-service.ts';

export interface GatewayProps {
  readonly image: string;
  readonly replicas: number;
  readonly publicUrl: string;
  readonly domain: string;
  readonly http: CaddyfileProps['http'];
  readonly exposure: Exposure;
  /** Whether the nodes have user namespaces for Pods. */
  readonly userNamespaces: boolean;
  /** Ports that answer outside. */
  readonly httpPort: number;
  readonly httpsPort: number;
}

const SERVICE_TYPE = {
  'node-port': { type: 'NodePort', externalTrafficPolicy: 'Cluster' },
  // A load balancer can keep the client's address.
  'load-balancer': { type: 'LoadBalancer', externalTrafficPolicy: 'Local' },
  'cluster-ip': { type: 'ClusterIP' },
} as const;

const TLS_SECRET = 'gateway-tls';

/** The one way in: TLS with a leaf of the instance's own CA, and plain http where that is wanted. */
export class Gateway extends Construct {
  constructor(scope: Construct, id: string, props: GatewayProps) {
    super(scope, id);
    const metadata = { name: 'gateway', namespace: PLATFORM_NAMESPACE, labels: { ...labelsOf('gateway') } };
    const data = {
      Caddyfile: caddyfile({ http: props.http, domain: props.domain }),
      'index.html': landingPage(props.publicUrl),
    };
    const config = new k8s.KubeConfigMap(this, 'config', { metadata, data });
    const leaf = { leaf: 'gateway', ...leafNames(props) };
    const tls = new ManagedSecret(this, 'tls', {
      name: TLS_SECRET,
      namespace: PLATFORM_NAMESPACE,
      type: 'kubernetes.io/tls',
      sources: {
        'tls.crt': { kind: 'certificate', ...leaf },
        'tls.key': { kind: 'certificate-key', ...leaf },
        'ca.crt': { kind: 'ca-certificate' },
      },
    });
    const plain = props.http === 'none' ? {} : { http: PORTS.http };
    const service = new RuntimeService(this, 'service', {
      name: 'gateway',
      image: props.image,
      command: ['caddy', 'run', '--config', '/etc/caddy/Caddyfile', '--adapter', 'caddyfile'],
      env: [
        { name: 'XDG_DATA_HOME', value: '/tmp' },
        { name: 'XDG_CONFIG_HOME', value: '/tmp' },
        { name: 'GOMEMLIMIT', value: '200MiB' },
      ],
      user: SERVICE_USERS.gateway,
      userNamespace: props.userNamespaces,
      replicas: props.replicas,
      ports: { ...plain, https: PORTS.https },
      config: [{ name: 'gateway', mountPath: '/etc/caddy', data }],
      secrets: [{ name: TLS_SECRET, mountPath: '/etc/caddy-tls' }],
      ingress: [{ kind: 'anyone', ports: Object.values({ ...plain, https: PORTS.https }) }],
      egress: [
        { kind: 'part', name: 'control-api', ports: [PORTS.http] },
        { kind: 'part', name: 'keycloak', ports: [PORTS.http] },
        { kind: 'dns' },
      ],
      service: {
        ...SERVICE_TYPE[props.exposure.kind],
        ports: entrancePorts(props),
        // Not a name that DNS could answer: within the cluster the address itself leads to the gateway.
        ...(props.exposure.kind === 'node-port' && isIPv4(props.domain) && !isLoopback(props.domain)
          ? { externalIPs: [props.domain] }
          : {}),
      },
    });
    service.workload.addDependency(config, tls);
  }
}

function entrancePorts(props: GatewayProps): k8s.ServicePort[] {
  const { exposure } = props;
  const port = (name: 'http' | 'https', outside: number): k8s.ServicePort => ({
    name,
    port: outside,
    targetPort: k8s.IntOrString.fromString(name),
    ...(exposure.kind === 'node-port' ? { nodePort: exposure[name] } : {}),
  });
  const { http, https } = servicePorts(props);
  return [...(props.http === 'none' ? [] : [port('http', http)]), port('https', https)];
}

/**
 * Ports of the Service. Cluster DNS answers a public name with the Service, so that they are those of the public URL.
 * A platform on loopback has no such name, and its Service keeps the usual ports.
 */
function servicePorts(props: GatewayProps): { readonly http: number; readonly https: number } {
  if (isLoopback(props.domain)) return { http: PORTS.http, https: PORTS.https };
  const url = new URL(props.publicUrl);
  const { httpPort: http, httpsPort: https } = props;
  // Where the configuration leaves the port to the machine, only the URL tells which one was found free.
  return url.protocol === 'http:' ? { http: Number(url.port || 80), https } : { http, https: Number(url.port || 443) };
}

const ADDRESS = /^(\d+\.){3}\d+$|:/;

function leafNames(props: GatewayProps): {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
} {
  const host = new URL(props.publicUrl).hostname.replace(/^\[|\]$/g, '');
  const names = [...new Set([props.domain, host, 'localhost', `gateway.${PLATFORM_NAMESPACE}.svc.cluster.local`])];
  return {
    dnsNames: names.filter((name) => !ADDRESS.test(name)),
    ipAddresses: [...new Set([...names.filter((name) => ADDRESS.test(name)), '127.0.0.1'])],
  };
}
