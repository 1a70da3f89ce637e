import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { API_SERVER_PORT, CLUSTER_DOMAIN, KUBELET_PORT, MIRROR_PORT } from '@delos/core';
import { writeIfChanged } from '@delos/host';
import { stringify } from 'yaml';
import { type Addresses, addressesOf } from '../host/addresses.ts';
import { cgroupOf } from '../host/marks.ts';
import { layoutOf, type NodeSpec } from '../spec.ts';
import { ofNode } from './certificates.ts';
import { renderContainerd } from './containerd-config.ts';
import { renderKubeconfig } from './kubeconfig.ts';
import { writeNodeHosts } from './platform-hosts.ts';

export function renderCni(spec: NodeSpec): string {
  const addresses = addressesOf(spec.number, spec.index);
  return JSON.stringify(
    {
      cniVersion: '1.0.0',
      name: 'delos',
      plugins: [
        {
          type: 'ptp',
          mtu: spec.mtu,
          ipMasq: false,
          ipam: {
            type: 'host-local',
            ranges: [[{ subnet: addresses.podCidr, gateway: addresses.podGateway }]],
            routes: [{ dst: '0.0.0.0/0' }],
            dataDir: '/var/lib/cni/networks',
          },
        },
        { type: 'portmap', capabilities: { portMappings: true }, snat: true },
        ...(spec.tools.cniGate === null ? [] : [{ type: 'delos-cni-gate' }]),
      ],
    },
    null,
    2,
  );
}

/** Most processes and threads of a Pod. Frameworks with a pool of threads for each core stay far below it. */
const POD_PIDS = 4096;

export function renderKubelet(spec: NodeSpec, addresses: Addresses): string {
  const layout = layoutOf(spec.state, spec.index);
  const pki = (file: string) => join(layout.pki, file);
  const server = ofNode('kubelet-server', spec.index);
  return stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: addresses.nodeIp,
    port: KUBELET_PORT,
    readOnlyPort: 0,
    healthzBindAddress: '127.0.0.1',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pki('ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: pki(`${server}.crt`),
    tlsPrivateKeyFile: pki(`${server}.key`),
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroupOf(spec.instance, spec.index)}`,
    // Kubernetes 1.34 serves cgroup v1 only when told so; without swap off it would refuse the machine.
    failCgroupV1: false,
    failSwapOn: false,
    clusterDomain: CLUSTER_DOMAIN,
    clusterDNS: [addresses.dnsIp],
    resolvConf: join(layout.etc, 'resolv.conf'),
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    containerLogMaxSize: '10Mi',
    containerLogMaxFiles: 5,
    containerLogMonitorInterval: '5s',
    imageGCHighThresholdPercent: 85,
    imageGCLowThresholdPercent: 75,
    evictionHard: {
      'memory.available': '100Mi',
      // An absolute size, not a share: the disk is the machine's, and a large one may be nearly full of other things.
      'nodefs.available': '1Gi',
      'imagefs.available': '1Gi',
      'nodefs.inodesFree': '3%',
      'imagefs.inodesFree': '3%',
      // Higher than what is kept from all Pods together: the culprit is evicted before other Pods cannot start a process.
      'pid.available': '10%',
    },
    // Processes and threads of one Pod; and what of the machine's is left to the node itself.
    podPidsLimit: POD_PIDS,
    // Services are crash-only: one that was killed a few times in a row shall not wait minutes for its next start.
    featureGates: { KubeletCrashLoopBackOffMax: true },
    crashLoopBackOff: { maxContainerRestartPeriod: '5s' },
    serializeImagePulls: false,
    maxParallelImagePulls: 4,
    protectKernelDefaults: false,
    // A node that was short of something takes Pods again soon: it may be the only one.
    evictionPressureTransitionPeriod: '30s',
    makeIPTablesUtilChains: false,
    enforceNodeAllocatable: ['pods'],
    systemReserved: { memory: '512Mi', pid: '1000' },
    nodeStatusReportFrequency: '1m',
    nodeStatusUpdateFrequency: '10s',
    rotateCertificates: false,
    shutdownGracePeriod: '0s',
    seccompDefault: true,
    maxPods: 250,
    registerWithTaints: [],
  });
}

export function renderProxy(addresses: Addresses, kubeconfig: string): string {
  return stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    clientConnection: { kubeconfig },
    clusterCIDR: addresses.podCidr,
    hostnameOverride: addresses.nodeName,
    bindAddress: '0.0.0.0',
    healthzBindAddress: '127.0.0.1:10256',
    metricsBindAddress: '127.0.0.1:10249',
    nodePortAddresses: [`${addresses.nodeIp}/32`],
    // The table's size belongs to the machine, not to this network namespace.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  });
}

/** Anonymous callers see whether the API server is alive, nothing else. */
function renderAuthentication(): string {
  return stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    anonymous: { enabled: true, conditions: ['/livez', '/readyz', '/healthz'].map((path) => ({ path })) },
  });
}

function renderEncryption(): string {
  return stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'EncryptionConfiguration',
    resources: [
      {
        resources: ['secrets'],
        providers: [
          { secretbox: { keys: [{ name: 'key1', secret: randomBytes(32).toString('base64') }] } },
          { identity: {} },
        ],
      },
    ],
  });
}

function renderRegistry(spec: NodeSpec): string {
  return stringify({
    version: 0.1,
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: spec.store },
      // Read only: whoever can reach it, it answers with what was built, and nothing else.
      maintenance: { readonly: { enabled: true }, uploadpurging: { enabled: false } },
    },
    http: { addr: `127.0.0.1:${MIRROR_PORT}` },
  });
}

/** The client certificates that get a kubeconfig for use inside a node, and those for the control plane's own. */
const CLIENTS = ['kubelet', 'proxy', 'policy-agent', 'disks'] as const;
const CONTROL_PLANE = ['controller-manager', 'scheduler', 'supervisor'] as const;

/** Writes every configuration file of a node's parts; what is there and right is not touched. */
export function writeEtc(spec: NodeSpec): void {
  const layout = layoutOf(spec.state, spec.index);
  const at = (name: string) => join(layout.etc, name);
  const server = `https://${addressesOf(spec.number).nodeIp}:${API_SERVER_PORT}`;
  const first = spec.index === 1;
  for (const client of first ? [...CLIENTS, ...CONTROL_PLANE] : CLIENTS) {
    const certificate = client === 'kubelet' ? ofNode(client, spec.index) : client;
    const options = { cluster: 'delos', user: client, server, pki: layout.pki, certificate };
    writeIfChanged(at(`${client}.kubeconfig`), renderKubeconfig(options));
  }
  if (first) writeControlPlane(spec, server);
  const addresses = addressesOf(spec.number, spec.index);
  writeIfChanged(at('kubelet.yaml'), renderKubelet(spec, addresses));
  writeIfChanged(at('proxy.yaml'), renderProxy(addresses, at('proxy.kubeconfig')));
  writeIfChanged(at('registry.yaml'), renderRegistry(spec));
  writeIfChanged(at('containerd.toml'), renderContainerd(spec));
  writeIfChanged(at('resolv.conf'), spec.resolvers.map((address) => `nameserver ${address}\n`).join(''), 0o644);
  writeIfChanged(join(layout.cniConf, '10-delos.conflist'), renderCni(spec));
  writeNodeHosts(spec);
}

function writeControlPlane(spec: NodeSpec, server: string): void {
  const layout = layoutOf(spec.state);
  const at = (name: string) => join(layout.etc, name);
  const context = `delos-${spec.instance}`;
  writeIfChanged(
    layout.adminKubeconfig,
    renderKubeconfig({ cluster: context, user: `${context}-admin`, server, pki: layout.pki, certificate: 'admin' }),
  );
  writeIfChanged(at('authentication.yaml'), renderAuthentication());
  // Made once: a new key could not read what an old one wrote.
  if (!existsSync(at('encryption.yaml'))) writeIfChanged(at('encryption.yaml'), renderEncryption());
}
