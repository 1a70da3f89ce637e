import { type StdioOptions, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { interrupted } from '../../interrupt.ts';
import { chosenTests, integrationRows } from './test-files.ts';

const counts = z.object({
  passed: z.number(),
  failed: z.number(),
  skipped: z.number(),
  /** What failed, one line each; of very many the first. */
  failures: z.array(z.string()),
});
type Counts = z.infer<typeof counts>;

/** A command and how it ended. */
interface Outcome {
  readonly code: number;
  readonly counts?: Counts | undefined;
}

/**
 * Type check, lint and all suites; the last line on stdout is the runner's own count, `N passed, N failed`. Tests of
 * real parts mostly wait, so three rows of work run at once: the end-to-end tests in front; beside them the integration
 * tests that share a cluster, in an instance of their own; and the checks, the unit tests and the integration tests
 * that need no cluster. What runs beside is printed when it has ended. The integration tests' cluster, all tools and all
 * images come first: where nothing is there yet, fetching and building them takes longer than any test may.
 */
export async function run(
  context: CommandContext,
  wanted: readonly string[],
  options: { readonly long: boolean; readonly only?: string },
): Promise<void> {
  const chosen = chosenTests(context.root, wanted, options);
  const bin = (name: string): string => join(context.root, 'node_modules/.bin', name);
  const folder = await mkdtemp(join(tmpdir(), 'delos-test-'));
  const env = options.long ? { DELOS_TEST_LONG: '1' } : {};
  let runs = 0;
  const vitest = async (suites: readonly string[], filters: readonly string[], way: Way, more: Env = {}) => {
    runs += 1;
    const file = join(folder, `${runs}.json`);
    const args = ['run', ...suites.flatMap((suite) => ['--project', suite]), ...filters];
    const code = await child(bin('vitest'), args, context, way, { ...env, ...more, DELOS_TEST_COUNTS: file });
    return { code, counts: await tryCounts(file) } satisfies Outcome;
  };
  const onPlatform = ['e2e', ...(options.long ? ['long'] : [])];
  const instance = process.env.DELOS_TEST_INSTANCE ?? 'delos-test';
  const integration = integrationRows(context.root);
  const whole = wanted.length === 0 && options.only === undefined;
  try {
    const computing = async (): Promise<readonly Outcome[]> => {
      const outcomes: Outcome[] = [];
      for (const [command, ...args] of [
        ['tsc', '-b'],
        ['biome', 'check', '--error-on-warnings'],
        ['oxlint', '--type-aware', '--deny-warnings'],
      ] as const) {
        outcomes.push({ code: await child(bin(command), args, context, 'behind') });
      }
      outcomes.push(await vitest(['unit'], [], 'behind'));
      // Beside the others, so in an instance of its own, which they do not start.
      const env = { DELOS_TEST_INSTANCE: `${instance}-alone` };
      return [...outcomes, await vitest(['integration'], integration.alone, 'beside', env)];
    };
    const parts = `${instance}-parts`;
    const onParts = async (): Promise<readonly Outcome[]> => [
      await vitest(['integration'], integration.onCluster, 'beside', { DELOS_TEST_INSTANCE: parts }),
    ];
    const inFront = async (): Promise<readonly Outcome[]> => [await vitest(onPlatform, [], 'in front')];
    const prepared = async (): Promise<readonly Outcome[]> => {
      const config = ['--config', join(context.root, 'test/support/platform.yaml')];
      const outcomes: Outcome[] = [];
      for (const verb of ['up', 'context']) {
        const args = ['cluster', verb, ...config, '--json'];
        const env = { DELOS_INSTANCE: parts };
        outcomes.push({ code: await child(join(context.root, 'delos'), args, context, 'silent', env) });
      }
      return outcomes;
    };
    const outcomes = whole
      ? [...(await prepared()), ...(await Promise.all([inFront(), onParts(), computing()])).flat()]
      : [await vitest(chosen.suites, chosen.filters, 'in front')];
    if (context.signal.aborted) throw interrupted();
    report(context, outcomes);
    if (outcomes.some(({ code }) => code !== 0)) process.exitCode = 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function report(context: CommandContext, outcomes: readonly Outcome[]): void {
  const checksFailed = outcomes.filter((outcome) => !('counts' in outcome) && outcome.code !== 0).length;
  if (checksFailed > 0) process.stderr.write(`${checksFailed} static checks failed\n`);
  const sum = (key: 'passed' | 'failed' | 'skipped'): number =>
    outcomes.reduce((total, each) => total + (each.counts?.[key] ?? 0), 0);
  // A runner that died before it counted has failed once.
  const died = outcomes.filter((outcome) => 'counts' in outcome && outcome.counts === undefined).length;
  const total = { passed: sum('passed'), failed: sum('failed') + died, skipped: sum('skipped') };
  const failures = outcomes.flatMap((each) => each.counts?.failures ?? []);
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
  // Whoever reads the end of a long output alone sees what failed.
  const lines = [...failures, `${total.passed} passed, ${total.failed} failed${skipped}`];
  context.result({ checksFailed, ...total, failures }, `\n${lines.join('\n')}`);
}

/** What the reporter counted; undefined where the runner ended before it did. */
async function tryCounts(file: string): Promise<Counts | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : counts.parse(JSON.parse(text));
}

/**
 * `beside`: its output is kept and printed whole at its end; `behind`: with less priority, too; `silent`: what it
 * prints to stdout is dropped.
 */
type Way = 'in front' | 'silent' | 'beside' | 'behind';
type Env = Readonly<Record<string, string>>;

function child(
  command: string,
  args: readonly string[],
  context: CommandContext,
  way: Way,
  env: Env = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const shown = context.json ? process.stderr : process.stdout;
    const streams: Readonly<Record<Way, StdioOptions>> = {
      'in front': ['ignore', context.json ? 2 : 'inherit', 'inherit'],
      silent: ['ignore', 'ignore', 'inherit'],
      beside: ['ignore', 'pipe', 'pipe'],
      behind: ['ignore', 'pipe', 'pipe'],
    };
    const run = spawn(command, args, {
      cwd: context.root,
      stdio: streams[way],
      env: { ...process.env, ...env },
    });
    const kept: Buffer[] = [];
    for (const stream of [run.stdout, run.stderr]) stream?.on('data', (data: Buffer) => kept.push(data));
    if (way === 'behind' && run.pid !== undefined) setPriority(run.pid, 5);
    run.once('error', reject);
    run.once('close', (code) => {
      for (const data of kept) shown.write(data);
      resolve(code ?? 1);
    });
    context.signal.addEventListener('abort', () => run.kill('SIGINT'));
  });
}
