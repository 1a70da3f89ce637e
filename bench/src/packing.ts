/**
 * Placement policies on every list of a GPU trace: allocated GPU in percent on the ten published seeds, the bound, and
 * what `default` gains over `fgd` on further seeds, with its 95 % interval. The trace's folder is DELOS_TRACES, else
 * ../shared/traces beside the checkout. Constants were chosen on other seeds than any of these.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { delosJson } from './delos.ts';
import { numberOption, say } from './measure.ts';

const PUBLISHED_SEEDS = '42-51';
const FIRST_FURTHER_SEED = 101;
const FOLDER = join(process.env.DELOS_TRACES ?? join(import.meta.dirname, '../../../shared/traces'), 'openb');

const reportSchema = z.object({
  bound: z.number().nullable(),
  policies: z.array(
    z.object({ policy: z.string(), mean: z.number(), perSeed: z.array(z.number()), msPerDecision: z.number() }),
  ),
});

interface ListResult {
  readonly list: string;
  readonly means: Readonly<Record<string, number>>;
  readonly bound: number;
  readonly msPerDecision: number;
  /** Points of percent, mean over the further seeds and half the width of its 95 % interval. */
  readonly gain: number;
  readonly interval: number;
}

const seeds = numberOption('--samples', 50);
const results: ListResult[] = [];
for (const file of (await readdir(FOLDER)).filter((name) => /^openb_pod_list_.*\.csv$/.test(name)).sort()) {
  say(file);
  results.push(await measured(file));
}
process.stdout.write(
  `${process.argv.includes('--json') ? JSON.stringify({ name: 'packing', seeds, lists: results }) : markdown()}\n`,
);

async function measured(file: string): Promise<ListResult> {
  const simulate = (...options: string[]): Promise<z.infer<typeof reportSchema>> =>
    delosJson(reportSchema, [
      'simulate',
      ...['--nodes', join(FOLDER, 'openb_node_list_gpu_node.csv'), '--pods', join(FOLDER, file), ...options],
    ]);
  const published = await simulate('--seeds', PUBLISHED_SEEDS);
  const further = await simulate(
    ...['--seeds', `${FIRST_FURTHER_SEED}-${FIRST_FURTHER_SEED + seeds - 1}`, '--policy', 'fgd,default', '--no-bound'],
  );
  const perSeed = (policy: string): readonly number[] =>
    further.policies.find((report) => report.policy === policy)?.perSeed ?? [];
  const base = perSeed('fgd');
  const gains = perSeed('default').map((value, at) => value - (base[at] ?? Number.NaN));
  const gain = gains.reduce((sum, value) => sum + value, 0) / gains.length;
  const variance = gains.reduce((sum, value) => sum + (value - gain) ** 2, 0) / (gains.length - 1);
  return {
    list: file.replace(/^openb_pod_list_(.*)\.csv$/, '$1'),
    means: Object.fromEntries(published.policies.map(({ policy, mean }) => [policy, mean])),
    bound: published.bound ?? Number.NaN,
    msPerDecision: published.policies.find(({ policy }) => policy === 'default')?.msPerDecision ?? Number.NaN,
    gain,
    // Student's t at 49 degrees of freedom; nearly the same from 30 on.
    interval: 2.01 * Math.sqrt(variance / gains.length),
  };
}

function markdown(): string {
  const policies = Object.keys(results[0]?.means ?? {});
  const head = ['list', ...policies, 'bound', `default − fgd, ${seeds} other seeds`, 'ms a decision'];
  const rows = results.map(({ list, means, bound, gain, interval, msPerDecision }) => [
    list,
    ...policies.map((policy) => (means[policy] ?? Number.NaN).toFixed(2)),
    bound.toFixed(2),
    `+${gain.toFixed(2)} ± ${interval.toFixed(2)}`.replace('+-', '−'),
    msPerDecision.toFixed(3),
  ]);
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
