import type { Check } from '@delos/cluster';
import type { PlatformConfig } from '@delos/core';
import type { CommandContext } from '../context.ts';
import { chooseCluster } from './engine.ts';

/** Looks at machine and cluster, and warns of what may cause trouble. @throws DelosError of the first fatal check */
export async function checkMachine(
  context: CommandContext,
  config: PlatformConfig,
  contextName: string | undefined,
): Promise<readonly Check[]> {
  const { preflight, requireChecks } = await import('@delos/cluster');
  const choice = await chooseCluster(context, config, contextName);
  const checks = await preflight(choice.config, choice.options);
  for (const { id, ok, fatal, measured, needed, fix } of checks) {
    if (!ok && !fatal) context.progress.warn(`${id}: ${measured}, needed: ${needed}; ${fix}`);
  }
  requireChecks(checks);
  return checks;
}
