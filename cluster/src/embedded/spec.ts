import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type InstancePaths, imageMirror } from '@delos/core';
import { tryReadJson } from '@delos/host';
import { z } from 'zod';
import { MOST_NODES, nodeName } from './host/addresses.ts';

/**
 * All that the processes of an embedded node need to know, decided by `up` and kept in `state/cluster/spec.json`, of a further
 * node in `state/cluster/nodes/INDEX/spec.json`.
 */
export const nodeSpec = z.object({
  instance: z.string(),
  /** Which node of the instance this is. The first holds the control plane. */
  index: z.number().int().min(1).max(MOST_NODES).default(1),
  /** How many nodes the instance has. */
  nodes: z.number().int().min(1).max(MOST_NODES).default(1),
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
  /** Who is asked for the images of a registry before that itself. containerd reads it at each pull. */
  mirrors: z.array(imageMirror).default([]),
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
  const { labels: _labels, fakeResources: _fake, publicName: _publicName, ...more } = spec;
  const { standIns: _standIns, mirrors: _mirrors, ...used } = more;
  // Nodes come and go without a restart of the others.
  const { index: _index, nodes: _nodes, ...rest } = used;
  return createHash('sha256').update(JSON.stringify(rest)).digest('hex').slice(0, 16);
}

/** What is asked of the Node object: its labels and fake devices, which a running node takes over by itself. */
export function askedHash({ labels, fakeResources }: Pick<NodeSpec, 'labels' | 'fakeResources'>): string {
  return createHash('sha256')
    .update(JSON.stringify([labels, fakeResources]))
    .digest('hex')
    .slice(0, 16);
}

/** Where things lie in an instance's state. Of a further node, what is its own lies in a folder of its own. */
export function layoutOf(state: string, index = 1) {
  const cluster = join(state, 'cluster');
  const run = join(state, 'run');
  const logs = join(state, 'logs');
  const nodes = join(cluster, 'nodes');
  const home = index === 1 ? cluster : join(nodes, String(index));
  return {
    state,
    index,
    cluster,
    run,
    /** Of the parts of this node. */
    logs: index === 1 ? logs : join(logs, nodeName(index)),
    inventory: join(state, 'inventory.json'),
    number: join(cluster, 'number.json'),
    pki: join(cluster, 'pki'),
    adminKubeconfig: join(cluster, 'kubeconfig'),
    /** Loopback ports of the machine that lead to node ports. */
    forwards: join(cluster, 'forwards.json'),
    /** Nodes that shall not run, or shall not reach anything. */
    wanted: join(cluster, 'wanted.json'),
    /** Files of projects, where the configuration names no other place. */
    files: join(cluster, 'files'),
    /** Folders of the further nodes. */
    nodes,
    etcd: join(cluster, 'etcd'),
    /** Folder of what is this node's own; of the first node, the cluster's as well. */
    home,
    spec: join(home, 'spec.json'),
    /** Configuration files and kubeconfigs of the parts. */
    etc: join(home, 'etc'),
    certsD: join(home, 'etc', 'certs.d'),
    cniConf: join(home, 'etc', 'cni'),
    /** Bound to the usual places inside the node. */
    kubelet: join(home, 'kubelet'),
    containerd: join(home, 'containerd'),
    cni: join(home, 'cni'),
    volumes: join(home, 'volumes'),
    /** Files with file systems, one a disk. */
    disks: join(home, 'disks'),
    nodeLog: join(home, 'log'),
    hostStatus: join(run, 'host.json'),
    nodeStatus: join(run, index === 1 ? 'node.json' : `${nodeName(index)}.json`),
    scratch: join(run, index === 1 ? 'scratch' : `scratch-${index}`),
  };
}
export type Layout = ReturnType<typeof layoutOf>;

export function tryReadSpec(paths: Pick<InstancePaths, 'state'>, index = 1): NodeSpec | undefined {
  return tryReadJson(layoutOf(paths.state, index).spec, nodeSpec);
}

/** Every node that the instance has, in order; none where it never was up. */
export function readMembers(paths: Pick<InstancePaths, 'state'>): readonly NodeSpec[] {
  return [1, ...furtherIndexes(layoutOf(paths.state).nodes)].flatMap((index) => tryReadSpec(paths, index) ?? []);
}

/** Indexes that have a folder, whatever is in it. */
export function furtherIndexes(folder: string): readonly number[] {
  try {
    return readdirSync(folder)
      .map(Number)
      .filter((index) => Number.isInteger(index) && index > 1 && index <= MOST_NODES)
      .sort((a, b) => a - b);
  } catch {
    return [];
  }
}
