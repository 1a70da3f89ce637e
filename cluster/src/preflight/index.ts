import type { PlatformConfig } from '@delos/core';
import { isLoopback } from '@delos/core';
import { tryCommand } from '@delos/host';
import type { EngineOptions } from '../engine.ts';
import { engineKindOf } from '../engine-for.ts';
import { forwardedPorts } from '../forward.ts';
import { type Check, check } from './check.ts';
import { clusterChecks } from './cluster.ts';
import { firewallCheck } from './firewall.ts';
import { kernelChecks } from './kernel.ts';
import {
  commandCheck,
  diskCheck,
  installsPackages,
  memoryCheck,
  missingCommands,
  ownPorts,
  platformCheck,
  portChecks,
  rootCheck,
} from './machine.ts';

export { type Check, requireChecks } from './check.ts';

const GIB = 2 ** 30;

/**
 * Looks at all that `up` will need, and changes nothing. All checks are made, so that a person sees everything at once.
 * What would cost or fail without root is left out for others.
 */
export async function preflight(config: PlatformConfig, options: EngineOptions): Promise<readonly Check[]> {
  switch (engineKindOf(config, options)) {
    case 'embedded': {
      const root = rootCheck();
      const missing = await missingCommands();
      return [
        platformCheck(),
        root,
        ...(root.ok ? [...(await kernelChecks(installsPackages() ? missing : [])), await firewallCheck()] : []),
        commandCheck(missing),
        ...memoryCheck(),
        diskCheck('disk.cache', options.paths.cache, 6 * GIB),
        diskCheck('disk.state', options.paths.state, 4 * GIB),
        ...(await portChecks(config, ownPorts(options.paths))),
      ];
    }
    case 'kind':
      return [await commandAnswers('docker', ['version']), await commandAnswers('kind', ['version'])];
    case 'existing':
      return [
        ...(await clusterChecks(config, options)),
        ...(isLoopback(config.domain) ? await portChecks(config, forwardedPorts(options.paths)) : []),
      ];
  }
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
