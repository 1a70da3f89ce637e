import { SERVICE_USERS } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { type CaddyfileProps, caddyfile, landingPage } from './caddyfile.ts';
import { ManagedSecret } from './managed-secret.ts';
import { labelsOf, PLATFORM_NAMESPACE, PORTS } from './names.ts';
import { RuntimeService } from './runtime-service.ts';
import type { SynthesisContext } from './synthesis.ts';

export interface GatewayProps {
  readonly image: string;
  readonly replicas: number;
  readonly publicUrl: string;
  readonly domain: string;
  readonly http: CaddyfileProps['http'];
  readonly exposure: SynthesisContext['exposure'];
  /** Whether the nodes have user namespaces for Pods. */
  readonly userNamespaces: boolean;
  /** Ports of a LoadBalancer. */
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
      },
    });
    service.workload.addDependency(config, tls);
  }
}

function entrancePorts(props: GatewayProps): k8s.ServicePort[] {
  const { exposure } = props;
  const port = (name: 'http' | 'https', outside: number): k8s.ServicePort => ({
    name,
    port: exposure.kind === 'load-balancer' ? outside : PORTS[name],
    targetPort: k8s.IntOrString.fromString(name),
    ...(exposure.kind === 'node-port' ? { nodePort: exposure[name] } : {}),
  });
  return [...(props.http === 'none' ? [] : [port('http', props.httpPort)]), port('https', props.httpsPort)];
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
