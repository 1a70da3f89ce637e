import { join } from 'node:path';
import { API_SERVER_PORT, hostOf, MIRROR_PORT } from '@delos/core';
import { DEFAULT_SOCKET } from '../../netpol/index.ts';
import { addressesOf } from '../host/addresses.ts';
import { layoutOf, type NodeSpec } from '../spec.ts';

/** One supervised process of the node. */
export interface PartSpec {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Parts that have to be ready before this one starts. */
  readonly after: readonly string[];
  readonly ready: Readiness;
}

/** How a part shows that it serves. */
export type Readiness =
  | { readonly kind: 'http'; readonly url: string; readonly client?: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'running' };

const flags = (values: Readonly<Record<string, string | number | boolean>>): string[] =>
  Object.entries(values).map(([name, value]) => `--${name}=${value}`);

/** Cipher suites with forward secrecy and AEAD alone. */
const CIPHERS = [
  'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
].join(',');

/** Parts that only the first node has. */
const CONTROL_PLANE = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];

/** The command line of every part of a node. Pure: the same spec gives the same processes. */
export function partsOf(spec: NodeSpec): readonly PartSpec[] {
  const all = everyPart(spec);
  if (spec.index === 1) return all;
  const has = (name: string): boolean => !CONTROL_PLANE.includes(name);
  return all.filter(({ name }) => has(name)).map((part) => ({ ...part, after: part.after.filter(has) }));
}

function everyPart(spec: NodeSpec): readonly PartSpec[] {
  const layout = layoutOf(spec.state, spec.index);
  const addresses = addressesOf(spec.number, spec.index);
  const { nodeName } = addresses;
  const pki = (file: string) => join(layout.pki, file);
  const etc = (file: string) => join(layout.etc, file);
  const kube = (component: string, values: Readonly<Record<string, string | number | boolean>>) => ({
    file: spec.tools.kube,
    args: [component, ...flags(values)],
  });
  const controller = (name: string, port: number) => ({
    kubeconfig: etc(`${name}.kubeconfig`),
    'authentication-kubeconfig': etc(`${name}.kubeconfig`),
    'authorization-kubeconfig': etc(`${name}.kubeconfig`),
    'tls-cert-file': pki(`${name}-server.crt`),
    'tls-private-key-file': pki(`${name}-server.key`),
    'bind-address': '127.0.0.1',
    'secure-port': port,
    // One node holds one of each.
    'leader-elect': false,
    profiling: false,
  });
  return [
    {
      name: 'etcd',
      ...kube('etcd', {
        name: nodeName,
        'data-dir': layout.etcd,
        'listen-client-urls': 'https://127.0.0.1:2379',
        'advertise-client-urls': 'https://127.0.0.1:2379',
        'listen-peer-urls': 'https://127.0.0.1:2380',
        'initial-advertise-peer-urls': 'https://127.0.0.1:2380',
        'initial-cluster': `${nodeName}=https://127.0.0.1:2380`,
        'listen-metrics-urls': 'http://127.0.0.1:2381',
        'cert-file': pki('etcd-server.crt'),
        'key-file': pki('etcd-server.key'),
        'client-cert-auth': true,
        'trusted-ca-file': pki('etcd-ca.crt'),
        'peer-cert-file': pki('etcd-server.crt'),
        'peer-key-file': pki('etcd-server.key'),
        'peer-client-cert-auth': true,
        'peer-trusted-ca-file': pki('etcd-ca.crt'),
        'auto-compaction-mode': 'periodic',
        'auto-compaction-retention': '30m',
        'log-level': 'warn',
      }),
      after: [],
      ready: { kind: 'http', url: 'http://127.0.0.1:2381/health' },
    },
    {
      name: 'kube-apiserver',
      ...kube('kube-apiserver', {
        'advertise-address': addresses.nodeIp,
        'bind-address': '0.0.0.0',
        'secure-port': API_SERVER_PORT,
        'allow-privileged': true,
        'authorization-mode': 'Node,RBAC',
        'authentication-config': etc('authentication.yaml'),
        'client-ca-file': pki('ca.crt'),
        'enable-admission-plugins': 'NodeRestriction,PodSecurity',
        'encryption-provider-config': etc('encryption.yaml'),
        'etcd-servers': 'https://127.0.0.1:2379',
        'etcd-cafile': pki('etcd-ca.crt'),
        'etcd-certfile': pki('etcd-client.crt'),
        'etcd-keyfile': pki('etcd-client.key'),
        'kubelet-certificate-authority': pki('ca.crt'),
        'kubelet-client-certificate': pki('apiserver-kubelet-client.crt'),
        'kubelet-client-key': pki('apiserver-kubelet-client.key'),
        'kubelet-preferred-address-types': 'InternalIP',
        'proxy-client-cert-file': pki('front-proxy-client.crt'),
        'proxy-client-key-file': pki('front-proxy-client.key'),
        'requestheader-client-ca-file': pki('front-proxy-ca.crt'),
        'requestheader-allowed-names': 'front-proxy-client',
        'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
        'requestheader-group-headers': 'X-Remote-Group',
        'requestheader-username-headers': 'X-Remote-User',
        'service-account-issuer': `https://${hostOf('kubernetes', 'default')}`,
        'service-account-key-file': pki('service-account.pub'),
        'service-account-signing-key-file': pki('service-account.key'),
        'service-cluster-ip-range': addresses.serviceCidr,
        'tls-cert-file': pki('apiserver.crt'),
        'tls-private-key-file': pki('apiserver.key'),
        'tls-cipher-suites': CIPHERS,
        'service-account-extend-token-expiration': false,
        profiling: false,
        v: 1,
      }),
      // It dials etcd until that answers: both start at once.
      after: [],
      ready: { kind: 'http', url: `https://127.0.0.1:${API_SERVER_PORT}/readyz` },
    },
    {
      name: 'kube-controller-manager',
      ...kube('kube-controller-manager', {
        ...controller('controller-manager', 10257),
        'root-ca-file': pki('ca.crt'),
        'service-account-private-key-file': pki('service-account.key'),
        'cluster-signing-cert-file': pki('ca.crt'),
        'cluster-signing-key-file': pki('ca.key'),
        'use-service-account-credentials': true,
        // The addresses of a node's Pods follow from its number.
        'allocate-node-cidrs': false,
        'service-cluster-ip-range': addresses.serviceCidr,
        'terminated-pod-gc-threshold': 500,
        // At the default of 20 requests a second, its start alone takes five.
        'kube-api-qps': 200,
        'kube-api-burst': 400,
      }),
      after: ['kube-apiserver'],
      ready: { kind: 'http', url: 'https://127.0.0.1:10257/healthz' },
    },
    {
      name: 'kube-scheduler',
      ...kube('kube-scheduler', controller('scheduler', 10259)),
      after: ['kube-apiserver'],
      ready: { kind: 'http', url: 'https://127.0.0.1:10259/healthz' },
    },
    {
      name: 'registry',
      file: spec.tools.registry,
      args: ['serve', etc('registry.yaml')],
      env: { OTEL_TRACES_EXPORTER: 'none' },
      after: [],
      ready: { kind: 'http', url: `http://127.0.0.1:${MIRROR_PORT}/v2/` },
    },
    {
      name: 'containerd',
      file: spec.tools.containerd,
      args: ['--config', etc('containerd.toml')],
      env: {
        ...spec.proxy,
        NO_PROXY: [
          spec.proxy.NO_PROXY,
          '127.0.0.1',
          'localhost',
          addresses.linkCidr,
          addresses.podCidr,
          addresses.serviceCidr,
        ]
          .filter((entry) => entry !== undefined && entry !== '')
          .join(','),
      },
      after: [],
      ready: { kind: 'socket', path: '/run/containerd/containerd.sock' },
    },
    ...(spec.tools.policyAgent === null
      ? []
      : [
          {
            name: 'policy-agent',
            file: spec.tools.node,
            args: [spec.tools.policyAgent],
            env: {
              KUBECONFIG: etc('policy-agent.kubeconfig'),
              DELOS_POD_CIDR: addresses.podCidr,
            },
            after: ['kube-apiserver'],
            ready: { kind: 'socket', path: DEFAULT_SOCKET } as const,
          },
        ]),
    ...(spec.tools.diskKeeper === null
      ? []
      : [
          {
            name: 'disks',
            file: spec.tools.node,
            args: [spec.tools.diskKeeper],
            env: { KUBECONFIG: etc('disks.kubeconfig'), DELOS_DISKS: layout.disks, DELOS_NODE: nodeName },
            after: [],
            ready: { kind: 'running' } as const,
          },
        ]),
    {
      name: 'kubelet',
      ...kube('kubelet', {
        config: etc('kubelet.yaml'),
        kubeconfig: etc('kubelet.kubeconfig'),
        'hostname-override': nodeName,
        'node-ip': addresses.nodeIp,
        'root-dir': '/var/lib/kubelet',
        'runtime-cgroups': '/',
        v: 1,
      }),
      // Its registration backs off to seconds while the API server is not there.
      after: ['containerd', 'kube-apiserver'],
      ready: { kind: 'http', url: 'http://127.0.0.1:10248/healthz' },
    },
    {
      name: 'kube-proxy',
      ...kube('kube-proxy', { config: etc('proxy.yaml') }),
      after: ['kube-apiserver'],
      ready: { kind: 'http', url: 'http://127.0.0.1:10256/healthz' },
    },
  ];
}
