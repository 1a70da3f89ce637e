import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { CommandContext } from '../context.ts';

/** Type check, lint, then vitest; the last line on stdout is the runner's own count, `N passed, N failed`. */
export async function run(
  context: CommandContext,
  files: readonly string[],
  options: { readonly long: boolean; readonly only?: string },
): Promise<void> {
  const bin = (name: string): string => join(context.root, 'node_modules/.bin', name);
  const checks =
    files.length > 0 || options.only !== undefined
      ? []
      : [
          [bin('tsc'), '-b'],
          [bin('biome'), 'check', '--error-on-warnings'],
          [bin('oxlint'), '--type-aware', '--deny-warnings'],
        ];
  let failed = 0;
  for (const [command, ...args] of checks) failed += (await child(command as string, args, context)) === 0 ? 0 : 1;
  const suites =
    options.only !== undefined ? [options.only] : ['unit', 'integration', 'e2e', ...(options.long ? ['long'] : [])];
  const vitest = [bin('vitest'), 'run', ...suites.flatMap((suite) => ['--project', suite]), ...files];
  const code = await child(vitest[0] as string, vitest.slice(1), context);
  if (failed > 0) process.stderr.write(`${failed} static checks failed\n`);
  process.exitCode = failed > 0 || code !== 0 ? 1 : 0;
}

function child(command: string, args: readonly string[], context: CommandContext): Promise<number> {
  return new Promise((resolve, reject) => {
    const run = spawn(command, args, { cwd: context.root, stdio: ['ignore', context.json ? 2 : 'inherit', 'inherit'] });
    run.once('error', reject);
    run.once('exit', (code) => resolve(code ?? 1));
    context.signal.addEventListener('abort', () => run.kill('SIGINT'));
  });
}
