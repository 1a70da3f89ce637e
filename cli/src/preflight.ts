import type { Check } from '@delos/cluster';
import { DelosError, type PlatformConfig } from '@delos/core';
import type { CommandContext } from './context.ts';
import { engineOptions } from './engine.ts';

/** Looks at machine and cluster; warns of what may hurt. @throws DelosError of the first fatal check */
export async function checkMachine(
  context: CommandContext,
  config: PlatformConfig,
  contextName: string | undefined,
): Promise<readonly Check[]> {
  const { preflight } = await import('@delos/cluster');
  const checks = await preflight(config, engineOptions(context, contextName));
  for (const { id, ok, fatal, measured, needed, fix } of checks) {
    if (!ok && !fatal) context.progress.warn(`${id}: ${measured}, needed: ${needed}; ${fix}`);
  }
  const failed = checks.filter(({ ok, fatal }) => !ok && fatal);
  const [first] = failed;
  if (first !== undefined) {
    const others = failed.length > 1 ? ` (and ${failed.length - 1} more: \`delos preflight\`)` : '';
    throw new DelosError(first.code, `${first.id}: ${first.measured}, needed: ${first.needed}${others}`, {
      hint: first.fix,
      data: { failed },
    });
  }
  return checks;
}
