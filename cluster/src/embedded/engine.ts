import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import {
  API_SERVER_PORT,
  DelosError,
  type InstancePaths,
  MIRROR_PORT,
  type PlatformConfig,
  POOL_LABEL,
  type Progress,
} from '@delos/core';
import { findByArgument, kill, waitUntil, withLock, withMutex, writeIfChanged } from '@delos/host';
import { z } from 'zod';
import { DISK_CLASS } from '../disks/index.ts';
import type { ClusterEngine, ClusterHandle, ClusterStatus } from '../engine.ts';
import { STORAGE_CLASS } from './addons/index.ts';
import { openApi } from './api.ts';
import { takeDown } from './down.ts';
import { noteForwarding, readForwarding } from './forwarding.ts';
import { addressesOf } from './host/addresses.ts';
import { exposeLoopback } from './host/expose.ts';
import { record } from './host/inventory.ts';
import { cgroupOf, hostMarker, nodeMarker } from './host/marks.ts';
import { allocateNumber } from './host/number.ts';
import { certificatesOf } from './node/certificates.ts';
import { writeEtc } from './node/etc.ts';
import { ensurePki } from './node/pki.ts';
import { type EmbeddedParts, prepareMachine, prepareSpec } from './prepare.ts';
import { layoutOf, type NodeSpec, specHash, tryReadSpec } from './spec.ts';
import { tryReadHostStatus, tryReadNodeStatus } from './status.ts';
import { firstMissing, nodeUnkept, waitForCluster } from './wait.ts';

const nodeList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
      status: z.object({
        conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
        nodeInfo: z.object({ kubeletVersion: z.string() }),
      }),
    }),
  ),
});

/** A whole Kubernetes node on this machine, in namespaces of its own. */
export function embeddedEngine(paths: InstancePaths, parts: EmbeddedParts): ClusterEngine {
  const layout = layoutOf(paths.state);
  const lockName = `cluster:${paths.state}`;

  function handleOf(spec: NodeSpec): ClusterHandle {
    const { nodeIp } = addressesOf(spec.number);
    return {
      kind: 'embedded',
      kubeconfig: layout.adminKubeconfig,
      context: `delos-${spec.instance}`,
      server: `https://${nodeIp}:${API_SERVER_PORT}`,
      apiServer: { addresses: [nodeIp], port: API_SERVER_PORT },
      dnsAddresses: [],
      storageClass: STORAGE_CLASS,
      diskClass: DISK_CLASS,
      lacksUserNamespaces: ['the embedded node runs Debian’s containerd, which has no user namespaces before 2.0'],
      images: { kind: 'mirror', endpoint: `http://127.0.0.1:${MIRROR_PORT}`, standIns: spec.standIns },
      exposeLoopback: (ports) => exposeLoopback(layout, ports),
    };
  }

  return {
    kind: 'embedded',

    prepare: (progress) => prepareMachine(parts, progress),

    up: (config: PlatformConfig, progress: Progress) =>
      withLock(lockName, 'cluster up', async () => {
        if (process.getuid?.() !== 0) {
          throw new DelosError('ERR_NOT_ROOT', 'the embedded engine makes namespaces, mounts and network interfaces', {
            hint: 'run it as root, or use a cluster that is there: set KUBECONFIG and cluster.engine: existing',
          });
        }
        mkdirSync(paths.state, { recursive: true, mode: 0o700 });
        const number = await allocateNumber(paths.state);
        const spec = await prepareSpec(config, paths, number, parts, progress);
        await startNode(spec, layout, progress);
        await waitForCluster(spec, progress);
        return handleOf(spec);
      }),

    down: (options, progress) => withLock(lockName, 'cluster down', () => takeDown(paths, options, progress)),

    async status(): Promise<ClusterStatus | undefined> {
      const spec = tryReadSpec(paths);
      if (spec === undefined || findByArgument(nodeMarker(paths.state)).length === 0) return undefined;
      return readStatus(spec);
    },

    async handle(): Promise<ClusterHandle> {
      const spec = tryReadSpec(paths);
      if (spec === undefined || findByArgument(nodeMarker(paths.state)).length === 0) {
        throw new DelosError('ERR_NOT_UP', `the cluster of instance ${paths.instance} is not up`, {
          hint: 'bring it up: delos cluster up',
        });
      }
      return handleOf(spec);
    },
  };
}

/** Writes the node's settings, and starts or restarts whatever runs with others. */
async function startNode(spec: NodeSpec, layout: ReturnType<typeof layoutOf>, progress: Progress): Promise<void> {
  const addresses = addressesOf(spec.number);
  const renewed = await ensurePki(layout.pki, certificatesOf(addresses));
  writeEtc(spec);
  writeIfChanged(layout.spec, JSON.stringify(spec, null, 1));
  const before = await withMutex('ip-forward', async () => noteForwarding(readForwarding()));
  record(layout.inventory, [
    { kind: 'loops', folder: layout.disks },
    { kind: 'sysctl', name: 'net.ipv4.ip_forward', before },
    { kind: 'cgroup', path: cgroupOf(spec.instance) },
    { kind: 'table', family: 'ip', name: addresses.table },
    { kind: 'link', name: addresses.link },
    { kind: 'processes', marker: nodeMarker(spec.state) },
    { kind: 'processes', marker: hostMarker(spec.state) },
  ]);

  const host = tryReadHostStatus(layout);
  const node = tryReadNodeStatus(layout);
  const changed = renewed.length > 0 || (node !== undefined && node.specHash !== specHash(spec));
  if (changed && findByArgument(nodeMarker(spec.state)).length > 0) {
    progress.step('the node restarts, because its settings have changed');
    await endProcesses([hostMarker(spec.state), nodeMarker(spec.state)]);
  } else if (host !== undefined && host.specHash !== specHash(spec)) {
    await endProcesses([hostMarker(spec.state)]);
  }
  if (findByArgument(hostMarker(spec.state)).length === 0) spawnHost(spec, layout.logs);
}

function spawnHost(spec: NodeSpec, logs: string): void {
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  const log = openSync(join(logs, 'host.log'), 'a', 0o600);
  const child = spawn(
    'sh',
    [
      join(import.meta.dirname, 'host-init.sh'),
      hostMarker(spec.state),
      process.execPath,
      join(import.meta.dirname, 'host/host.ts'),
      spec.state,
    ],
    { detached: true, stdio: ['ignore', log, log], cwd: '/' },
  );
  child.unref();
  closeSync(log);
}

async function endProcesses(markers: readonly string[]): Promise<void> {
  const all = () => markers.flatMap((marker) => findByArgument(marker));
  const gone = await waitUntil(() => {
    for (const identity of all()) kill(identity);
    return all().length === 0;
  }, 20_000);
  if (!gone)
    throw new DelosError(
      'ERR_CLUSTER_START',
      `processes do not end: ${all()
        .map((each) => each.pid)
        .join(', ')}`,
    );
}

async function readStatus(spec: NodeSpec): Promise<ClusterStatus> {
  const layout = layoutOf(spec.state);
  const supervisor = tryReadNodeStatus(layout);
  const parts = (supervisor?.parts ?? []).map((part) => ({
    name: part.name,
    healthy: part.state === 'ready',
    message: part.message,
  }));
  const hostStatus = tryReadHostStatus(layout);
  const host = {
    name: 'host',
    healthy: hostStatus !== undefined && hostStatus.message === '',
    message: hostStatus === undefined ? 'does not run' : hostStatus.message,
  };
  const server = `https://${addressesOf(spec.number).nodeIp}:${API_SERVER_PORT}`;
  if (!existsSync(join(layout.pki, 'admin.key'))) return { kind: 'embedded', server, version: '', nodes: [], parts };
  const api = openApi(spec, 'admin');
  try {
    const missing = await firstMissing(spec, () => api);
    const unkept = supervisor === undefined ? undefined : nodeUnkept(spec, supervisor);
    const node = { name: 'node', healthy: unkept === undefined, message: unkept ?? '' };
    const late = missing === unkept ? undefined : missing;
    const addons = { name: 'add-ons', healthy: late === undefined, message: late ?? '' };
    const nodes = nodeList.safeParse(await api.get('/api/v1/nodes').catch(() => undefined)).data?.items ?? [];
    return {
      kind: 'embedded',
      server,
      version: nodes[0]?.status.nodeInfo.kubeletVersion ?? '',
      nodes: nodes.map(({ metadata, status }) => ({
        name: metadata.name,
        ready: status.conditions.some((each) => each.type === 'Ready' && each.status === 'True'),
        pool: metadata.labels[POOL_LABEL],
      })),
      parts: [host, ...parts, node, addons],
    };
  } finally {
    api.close();
  }
}
