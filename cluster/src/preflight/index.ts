import { isLoopback, type PlatformConfig } from '@delos/core';
import { findByArgument, tryCommand } from '@delos/host';
import { addressesOf } from '../embedded/host/addresses.ts';
import { nodeMarker } from '../embedded/host/marks.ts';
import { findResolvers } from '../embedded/host/resolvers.ts';
import { proxyOf } from '../embedded/proxy.ts';
import { readMembers } from '../embedded/spec.ts';
import type { EngineOptions } from '../engine.ts';
import { engineKindOf } from '../engine-for.ts';
import { forwardedPorts } from '../forward.ts';
import { type Check, check } from './check.ts';
import { clusterChecks, lostNodeChecks } from './cluster.ts';
import { stateFileSystemCheck } from './filesystem.ts';
import { forwardCheck, readChains, relayCheck } from './firewall.ts';
import { inotifyChecks, readInotify } from './inotify.ts';
import { kernelChecks } from './kernel.ts';
import {
  availableMemory,
  commandCheck,
  diskCheck,
  installsPackages,
  memoryCheck,
  missingCommands,
  ownPorts,
  platformCheck,
  portChecks,
  proxyCheck,
  rootCheck,
} from './machine.ts';
import { NEEDS } from './needs.ts';

export { type Check, requireChecks } from './check.ts';

/**
 * Looks at all that `up` will need, and changes nothing. All checks are made, so that a person sees everything at once.
 * What would cost or fail without root is left out for others.
 * @param apart Pods of one service, each of which needs a node of its own in the profile `ha`
 */
export async function preflight(config: PlatformConfig, options: EngineOptions, apart = 2): Promise<readonly Check[]> {
  switch (engineKindOf(config, options)) {
    case 'embedded': {
      const root = rootCheck();
      const missing = await missingCommands();
      const nodes = config.cluster.embedded.nodes?.length ?? Math.max(1, readMembers(options.paths).length);
      const further = Array.from({ length: nodes }, (_, at) => at + 1).filter(
        (at) => at > 1 && !runs(options, at),
      ).length;
      return [
        platformCheck(),
        root,
        ...(root.ok
          ? [...(await kernelChecks(installsPackages() ? missing : [])), ...(await networkChecks(options))]
          : []),
        commandCheck(missing),
        memoryCheck(availableMemory(), runs(options, 1), further),
        diskCheck('disk.cache', options.paths.cache, NEEDS.cacheBytes),
        diskCheck('disk.state', options.paths.state, NEEDS.stateBytes),
        stateFileSystemCheck(options.paths.state),
        ...inotifyChecks(readInotify(), further),
        ...(await portChecks(config, ownPorts(options.paths))),
        ...lostNodeChecks(config, { nodes, apart }, 'name the pools of as many in cluster.embedded.nodes'),
      ];
    }
    case 'kind':
      return [await commandAnswers('docker', ['version']), await commandAnswers('kind', ['version'])];
    case 'existing':
      return [
        ...(await clusterChecks(config, options, apart)),
        ...(isLoopback(config.domain) ? await portChecks(config, forwardedPorts(options.paths)) : []),
      ];
  }
}

const runs = ({ paths }: EngineOptions, index: number): boolean =>
  findByArgument(nodeMarker(paths.state, index)).length > 0;

async function networkChecks({ env }: EngineOptions): Promise<readonly Check[]> {
  // Which address the machine's end will have does not matter here.
  const { hostIp } = addressesOf(0);
  const { relays, unreadable } = proxyOf(env, hostIp);
  const relayed = [
    ...(findResolvers(hostIp).relayTo === undefined ? [] : ['DNS']),
    ...(relays.length === 0 ? [] : ['the proxy']),
  ];
  return [
    forwardCheck(await readChains('forward')),
    relayCheck(await readChains('input'), relayed),
    proxyCheck(unreadable),
  ];
}

async function commandAnswers(command: string, args: readonly string[]): Promise<Check> {
  const { code, stderr } = await tryCommand(command, args, { timeout: 10_000 });
  return check(`commands.${command}`, code === 0, {
    code: 'ERR_TOOL_UNAVAILABLE',
    measured: code === 0 ? 'answers' : (stderr.trim().split('\n')[0] ?? 'no answer'),
    needed: `\`${command} ${args.join(' ')}\` answers`,
    fix: `install or start ${command}, or use cluster.engine: embedded, which needs none`,
  });
}
