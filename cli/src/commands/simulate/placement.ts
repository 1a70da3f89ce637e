import { DelosError, nearest } from '@delos/core';
import {
  allocationBound,
  type NodeShape,
  POLICIES,
  type PodRequest,
  type Policy,
  replay,
  replayArrivals,
} from '@delos/placement';
import type { CommandContext } from '../../context.ts';
import { interrupted } from '../../interrupt.ts';
import { table } from '../../table.ts';
import { readNodes, readPods } from './gpu-trace.ts';
import { linearSolver } from './linear-solver.ts';

export interface PlacementOptions {
  readonly nodes?: string;
  readonly pods?: string;
  readonly arrivals: string;
  readonly seeds: string;
  readonly policy: string;
  readonly bound: boolean;
}

export interface PlacementReport {
  /**
   * The most that any policy can allocate of the same arrivals; mean over the seeds, percent of GPU capacity. Null: not
   * asked for.
   */
  readonly bound: number | null;
  readonly policies: readonly PolicyReport[];
}

export interface PolicyReport {
  readonly policy: string;
  /** Allocated GPU after the last arrival, mean over the seeds, percent of GPU capacity. */
  readonly mean: number;
  readonly perSeed: readonly number[];
  /** CPU time of this process for each decision, in milliseconds; it includes all of the replay's own work. */
  readonly msPerDecision: number;
}

interface Run {
  readonly nodes: readonly NodeShape[];
  readonly workload: readonly PodRequest[];
  readonly ratio: number;
  readonly seeds: readonly number[];
}

/** Replays arrivals of a list of Pods on a list of nodes under each policy, as the published experiment of FGD does. */
export async function simulatePlacement(context: CommandContext, options: PlacementOptions): Promise<void> {
  const { nodes: nodeFile, pods: podFile } = options;
  if (nodeFile === undefined || podFile === undefined) {
    throw new DelosError('ERR_USAGE', '--nodes FILE and --pods FILE are needed', {
      hint: 'for instance: delos simulate --nodes nodes.csv --pods pods.csv',
    });
  }
  const ratio = arrivalRatio(options.arrivals);
  const seeds = seedList(options.seeds);
  const policies = policyList(options.policy);
  const nodes = await readNodes(nodeFile);
  const workload = await readPods(podFile);

  const reports: PolicyReport[] = [];
  for (const policy of policies) {
    const done = context.progress.phase(`policy ${policy.name}`);
    reports.push(await replayed(context, { nodes, workload, ratio, seeds, policy }));
    done();
  }
  const bound = options.bound ? await meanBound(context, { nodes, workload, ratio, seeds }) : null;
  const report: PlacementReport = { bound, policies: reports };
  context.result(report, text(report, { nodes, workload, ratio, seeds }));
}

async function replayed(context: CommandContext, run: Run & { readonly policy: Policy }): Promise<PolicyReport> {
  const perSeed: number[] = [];
  let decisions = 0;
  let micros = 0;
  for (const seed of run.seeds) {
    await turn(context, `seed ${seed}`);
    const before = process.cpuUsage();
    const result = replay({ ...run, seed });
    const { user, system } = process.cpuUsage(before);
    micros += user + system;
    decisions += result.decisions;
    perSeed.push(rounded(percent(result.gpuAllocated, run.nodes)));
  }
  return {
    policy: run.policy.name,
    mean: mean(perSeed),
    perSeed,
    msPerDecision: rounded(micros / 1000 / decisions, 4),
  };
}

async function meanBound(context: CommandContext, run: Run): Promise<number> {
  const done = context.progress.phase('bound');
  const solve = await linearSolver();
  const bounds: number[] = [];
  for (const seed of run.seeds) {
    await turn(context, `seed ${seed}`);
    bounds.push(percent(allocationBound(run.nodes, replayArrivals({ ...run, seed }), solve), run.nodes));
  }
  done();
  return mean(bounds);
}

/** Says what comes next, and gives a signal the chance to be handled: a replay itself does not stop. */
async function turn(context: CommandContext, step: string): Promise<void> {
  context.progress.step(step);
  await new Promise((resolve) => setImmediate(resolve));
  if (context.signal.aborted) throw interrupted();
}

function text({ bound, policies }: PlacementReport, run: Run): string {
  const gpus = run.nodes.reduce((sum, node) => sum + node.gpus, 0);
  return [
    `${run.nodes.length} nodes, ${gpus} GPUs; ${run.workload.length} Pods, filled up to ${run.ratio} × the GPUs; ${run.seeds.length} seeds`,
    'Allocated GPU in percent of the GPUs there are:',
    '',
    table(
      ['POLICY', 'MEAN', 'LEAST', 'MOST', 'MS/DECISION'],
      [
        ...policies.map(({ policy, mean, perSeed, msPerDecision }) => [
          policy,
          mean.toFixed(2),
          Math.min(...perSeed).toFixed(2),
          Math.max(...perSeed).toFixed(2),
          msPerDecision.toFixed(3),
        ]),
        ...(bound === null ? [] : [['(no policy can pass)', bound.toFixed(2), '', '', '']]),
      ],
    ),
  ].join('\n');
}

function arrivalRatio(given: string): number {
  const ratio = Number(given);
  if (/^\d{1,3}(\.\d+)?$/.test(given) && ratio > 0 && ratio <= 100) return ratio;
  throw new DelosError('ERR_USAGE', `--arrivals ${given} is not accepted: expected a number above 0, at most 100`, {
    hint: '1.3 adds Pods until they ask for 1.3 times the GPUs of the nodes',
  });
}

/** `42-51`, `7`, `1,5,9-12`. */
function seedList(given: string): readonly number[] {
  const seeds = given.split(',').flatMap((part) => {
    const [, from, to] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part.trim()) ?? [];
    const first = Number(from);
    const count = Number(to ?? from) - first + 1;
    if (from === undefined || count < 1 || count > 10_000) {
      throw new DelosError('ERR_USAGE', `--seeds ${given} is not accepted: expected whole numbers and ranges`, {
        hint: 'for instance --seeds 42-51 or --seeds 1,5,9-12',
      });
    }
    return Array.from({ length: count }, (_, at) => first + at);
  });
  return [...new Set(seeds)];
}

function policyList(given: string): readonly Policy[] {
  return [...new Set(given.split(',').map((name) => name.trim()))].map((name) => {
    const policy = POLICIES.find((known) => known.name === name);
    if (policy !== undefined) return policy;
    const names = POLICIES.map((known) => known.name);
    const meant = nearest(name, names);
    throw new DelosError('ERR_USAGE', `there is no placement policy ${JSON.stringify(name)}`, {
      hint: `${meant === undefined ? '' : `did you mean ${meant}? `}there are: ${names.join(', ')}`,
    });
  });
}

function percent(milli: number, nodes: readonly NodeShape[]): number {
  return milli / nodes.reduce((sum, { gpus }) => sum + 10 * gpus, 0);
}

function mean(values: readonly number[]): number {
  return rounded(values.reduce((sum, value) => sum + value, 0) / values.length);
}

function rounded(value: number, digits = 3): number {
  return Number(value.toFixed(digits));
}
