import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { CommandContext } from '../context.ts';
import { interrupted } from '../interrupt.ts';

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
  const folder = await mkdtemp(join(tmpdir(), 'delos-test-'));
  const counts = join(folder, 'counts.json');
  try {
    const env = { DELOS_TEST_COUNTS: counts, ...(options.long ? { DELOS_TEST_LONG: '1' } : {}) };
    const code = await child(vitest[0] as string, vitest.slice(1), context, env);
    if (failed > 0) process.stderr.write(`${failed} static checks failed\n`);
    if (context.signal.aborted) throw interrupted();
    if (context.json) context.result({ checksFailed: failed, ...(await tryCounts(counts)) }, '');
    process.exitCode = failed > 0 || code !== 0 ? 1 : 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What the reporter counted; nothing where the runner did not come so far. */
async function tryCounts(file: string): Promise<object> {
  const text = await readFile(file, 'utf8').catch(() => '{}');
  return z.record(z.string(), z.number()).parse(JSON.parse(text));
}

function child(
  command: string,
  args: readonly string[],
  context: CommandContext,
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const run = spawn(command, args, {
      cwd: context.root,
      stdio: ['ignore', context.json ? 2 : 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    });
    run.once('error', reject);
    run.once('exit', (code) => resolve(code ?? 1));
    context.signal.addEventListener('abort', () => run.kill('SIGINT'));
  });
}
