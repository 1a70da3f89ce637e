import { DelosError, type PlatformConfig } from '@delos/core';
import type { CommandContext } from './context.ts';
import type { EngineOptions, PreflightCheck } from './rooms.ts';

export async function engineOptions(context: CommandContext, contextName: string | undefined): Promise<EngineOptions> {
  return {
    paths: context.paths,
    root: context.root,
    env: process.env,
    yes: context.yes,
    ...(contextName === undefined ? {} : { context: contextName }),
  };
}

/** Looks at machine and cluster; warns of what may hurt. @throws DelosError of the first fatal check */
export async function checkMachine(
  context: CommandContext,
  config: PlatformConfig,
  contextName: string | undefined,
): Promise<readonly PreflightCheck[]> {
  const { preflight } = await import('@delos/cluster');
  const checks = await preflight(config, await engineOptions(context, contextName));
  for (const { id, ok, fatal, measured, needed, fix } of checks) {
    if (!ok && !fatal) context.progress.warn(`${id}: ${measured}, needed: ${needed}; ${fix}`);
  }
  const failed = checks.filter(({ ok, fatal }) => !ok && fatal);
  const [first] = failed;
  if (first !== undefined) {
    const others = failed.length > 1 ? ` (and ${failed.length - 1} more: \`delos preflight\`)` : '';
    throw new DelosError('ERR_PREFLIGHT', `${first.id}: ${first.measured}, needed: ${first.needed}${others}`, {
      hint: first.fix,
      data: { failed },
    });
  }
  return checks;
}
