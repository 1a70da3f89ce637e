import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { InstancePaths } from '@delos/core';
import { tryReadJson } from '@delos/host';
import { z } from 'zod';

/**
 * All that the two processes of an embedded node need to know, decided by `up` and kept in `state/cluster/spec.json`.
 */
export const nodeSpec = z.object({
  instance: z.string(),
  /** Folder of the instance's state. */
  state: z.string(),
  number: z.number().int(),
  /** Executables. `policyAgent` and `diskKeeper` are TypeScript entries; null where there is none. */
  tools: z.object({
    node: z.string(),
    kube: z.string(),
    registry: z.string(),
    containerd: z.string(),
    cniPlugins: z.string(),
    cniGate: z.string().nullable(),
    /** Null: of a node that was started before there was one. */
    runcGuard: z.string().nullable().default(null),
    policyAgent: z.string().nullable(),
    /** Null: of a node that was started before there was one. */
    diskKeeper: z.string().nullable().default(null),
  }),
  /** Store that the mirror registry serves. */
  store: z.string(),
  /** References as the nodes' containerd asks for them. */
  images: z.object({
    pause: z.string(),
    coredns: z.string(),
    localPathProvisioner: z.string(),
    metricsServer: z.string(),
  }),
  /** Names whose upstream cannot be reached are answered by stand-ins. containerd reads this at each pull. */
  standIns: z.boolean().default(false),
  /** The platform's public DNS name, which cluster DNS answers with this Service's address; null where it has none. */
  publicName: z.object({ name: z.string(), service: z.string() }).nullable().default(null),
  /** Resolvers that the node can reach; empty: the machine has none. */
  resolvers: z.array(z.string()),
  /** Bytes of a packet on the way to the outside. */
  mtu: z.number().int(),
  /** Proxy settings for image pulls that hold in the node's own network. */
  proxy: z.record(z.string(), z.string()),
  /** Loopback addresses of the machine that the machine's end of the link answers for, at the same port. */
  relays: z.array(z.object({ port: z.number().int(), host: z.string() })).default([]),
  labels: z.record(z.string(), z.string()),
  /** Extended resources that have no device behind them. */
  fakeResources: z.record(z.string(), z.number().int()),
  cgroupVersion: z.union([z.literal(1), z.literal(2)]),
  /** The kernel refuses negative oom_score_adj values to this machine's root. */
  restrictOomScore: z.boolean(),
});
export type NodeSpec = z.infer<typeof nodeSpec>;

/** The settings whose change needs a restart of the node; it takes over the others while it runs. */
export function specHash(spec: NodeSpec): string {
  const { labels: _labels, fakeResources: _fake, standIns: _standIns, publicName: _publicName, ...rest } = spec;
  return createHash('sha256').update(JSON.stringify(rest)).digest('hex').slice(0, 16);
}

/** What is asked of the Node object: its labels and fake devices, which a running node takes over by itself. */
export function askedHash({ labels, fakeResources }: Pick<NodeSpec, 'labels' | 'fakeResources'>): string {
  return createHash('sha256')
    .update(JSON.stringify([labels, fakeResources]))
    .digest('hex')
    .slice(0, 16);
}

/** Where things lie in an instance's state. */
export function layoutOf(state: string) {
  const cluster = join(state, 'cluster');
  const run = join(state, 'run');
  return {
    state,
    cluster,
    run,
    logs: join(state, 'logs'),
    inventory: join(state, 'inventory.json'),
    spec: join(cluster, 'spec.json'),
    number: join(cluster, 'number.json'),
    pki: join(cluster, 'pki'),
    /** Configuration files and kubeconfigs of the parts. */
    etc: join(cluster, 'etc'),
    certsD: join(cluster, 'etc', 'certs.d'),
    cniConf: join(cluster, 'etc', 'cni'),
    adminKubeconfig: join(cluster, 'kubeconfig'),
    /** Loopback ports of the machine that lead to node ports. */
    forwards: join(cluster, 'forwards.json'),
    etcd: join(cluster, 'etcd'),
    /** Bound to the usual places inside the node. */
    kubelet: join(cluster, 'kubelet'),
    containerd: join(cluster, 'containerd'),
    cni: join(cluster, 'cni'),
    volumes: join(cluster, 'volumes'),
    /** Files with file systems, one a disk. */
    disks: join(cluster, 'disks'),
    nodeLog: join(cluster, 'log'),
    hostStatus: join(run, 'host.json'),
    nodeStatus: join(run, 'node.json'),
    scratch: join(run, 'scratch'),
  };
}
export type Layout = ReturnType<typeof layoutOf>;

export function tryReadSpec(paths: Pick<InstancePaths, 'state'>): NodeSpec | undefined {
  return tryReadJson(layoutOf(paths.state).spec, nodeSpec);
}
