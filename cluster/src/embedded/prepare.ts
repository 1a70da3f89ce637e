import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { delimiter, join } from 'node:path';
import {
  DelosError,
  extendedResources,
  GATEWAY_HOST,
  type InstancePaths,
  isLoopback,
  type PlatformConfig,
  POOL_LABEL,
  type Progress,
} from '@delos/core';
import { DISK_KEEPER } from '../disks/index.ts';
import { standInsAnswer } from '../images/index.ts';
import { NETPOL_AGENT } from '../netpol/index.ts';
import { requireChecks } from '../preflight/check.ts';
import { kernelChecks } from '../preflight/kernel.ts';
import type { ResolveTool } from '../toolchain/index.ts';
import { ADDON_IMAGES, type AddonImage } from './addon-images.ts';
import { addressesOf } from './host/addresses.ts';
import { outsideMtu } from './host/host-network.ts';
import { findResolvers } from './host/resolvers.ts';
import { cgroupVersion } from './node/cgroups.ts';
import { proxyOf } from './proxy.ts';
import { type NodeSpec, nodeSpec } from './spec.ts';

/** What the engine needs of the rest of this room. */
export interface EmbeddedParts {
  readonly resolveTool: ResolveTool;
  /** Answers with the packages that had to be installed. */
  readonly ensureOsPackages: (progress: Progress) => Promise<readonly string[]>;
  /** Makes sure that the mirror's store holds these images; answers with references that it serves. */
  readonly ensureImages: (
    names: readonly AddonImage[],
    progress: Progress,
  ) => Promise<Readonly<Record<AddonImage, string>>>;
}

const CAP_SYS_RESOURCE = 24n;

/** Installs packages of the operating system; what only they can try of the kernel is then tried. */
export async function prepareMachine(parts: EmbeddedParts, progress: Progress): Promise<void> {
  const installed = await parts.ensureOsPackages(progress);
  if (installed.length > 0) requireChecks(await kernelChecks());
}

/** Looks at the machine, gets tools and images, and decides all that the node is started with. */
export async function prepareSpec(
  config: PlatformConfig,
  paths: InstancePaths,
  number: number,
  parts: EmbeddedParts,
  progress: Progress,
): Promise<NodeSpec> {
  await prepareMachine(parts, progress);
  const [kube, registry, gate, guard, images] = await Promise.all([
    parts.resolveTool('kube', progress),
    parts.resolveTool('registry', progress),
    parts.resolveTool('cni-gate', progress),
    parts.resolveTool('runc-guard', progress),
    parts.ensureImages(ADDON_IMAGES, progress),
  ]);
  const addresses = addressesOf(number);
  const { proxy, relays } = proxyOf(process.env, addresses.hostIp);
  return nodeSpec.parse({
    instance: paths.instance,
    state: paths.state,
    number,
    tools: {
      node: process.execPath,
      kube: kube.path,
      registry: registry.path,
      containerd: which('containerd'),
      cniPlugins: findCniPlugins(),
      cniGate: gate.path,
      runcGuard: guard.path,
      policyAgent: NETPOL_AGENT,
      diskKeeper: DISK_KEEPER,
    },
    store: join(paths.cache, 'images', 'store'),
    images: {
      pause: images.pause,
      coredns: images.coredns,
      localPathProvisioner: images['local-path-provisioner'],
      metricsServer: images['metrics-server'],
    },
    standIns: await standInsAnswer(config.images.standIns),
    mirrors: config.images.mirrors,
    publicName: publicNameOf(config.domain),
    resolvers: [...findResolvers(addresses.hostIp).node],
    mtu: Math.min(await outsideMtu(), 9000),
    proxy,
    relays,
    ...poolOf(config),
    cgroupVersion: cgroupVersion(),
    restrictOomScore: !hasCapability(CAP_SYS_RESOURCE),
  });
}

/** A name that cluster DNS can answer: `localhost` means each Pod itself, and an address is not asked for. */
export function publicNameOf(domain: string): NodeSpec['publicName'] {
  return isLoopback(domain) || isIP(domain) !== 0 ? null : { name: domain.toLowerCase(), service: GATEWAY_HOST };
}

/** What a node has of its pool, of the first one where none is named; fake devices are the node's extended resources. */
export function poolOf(config: PlatformConfig, name?: string): Pick<NodeSpec, 'labels' | 'fakeResources'> {
  const pool = name === undefined ? config.nodePools[0] : config.nodePools.find((each) => each.name === name);
  if (pool === undefined) return { labels: {}, fakeResources: {} };
  const fakeResources = pool.fakeGpus ? extendedResources(pool) : {};
  return { labels: { ...pool.labels, [POOL_LABEL]: pool.name }, fakeResources };
}

function which(name: string): string {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Next folder.
    }
  }
  throw new DelosError('ERR_TOOL_UNAVAILABLE', `${name} is not on PATH`, {
    hint: `install the package that holds it, e.g.: apt-get install ${name}`,
  });
}

function findCniPlugins(): string {
  const folder = ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'].find((each) => existsSync(join(each, 'ptp')));
  if (folder !== undefined) return folder;
  throw new DelosError('ERR_TOOL_UNAVAILABLE', 'the CNI plugins (ptp, host-local, portmap) are not on this machine', {
    hint: 'install them: apt-get install containernetworking-plugins',
  });
}

function hasCapability(bit: bigint): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> bit) & 1n) === 1n;
}
