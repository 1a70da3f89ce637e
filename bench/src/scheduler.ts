import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Job, type Priority, Scheduler, type Snapshot, snapshot } from '@delos/scheduling';
import { z } from 'zod';
import { costPlot } from './scheduler-plot.ts';

/*
 * What the scheduler's core costs by size: 1,000 queues, nodes of 8 GPUs, jobs of 1, 2, 4 and 8 GPUs until the cluster is
 * full and so many more wait. Every size is measured in a process of its own, so that its memory is its own.
 *
 *   node bench/src/scheduler.ts [--json] [--samples N] [--mix plain|mixed] [--plot FILE.svg]
 */

const QUEUES = 1000;
const QUEUED = [1_000, 10_000, 100_000, 1_000_000];
const NODES = [100, 1_000, 5_000];
const DEFAULT_SAMPLES = 400;

const percentiles = z.object({ p50: z.number(), p99: z.number() });
const counts = z.object({ jobs: z.number(), nodes: z.number() });
/**
 * plain: one priority, nothing guaranteed, nobody preempted. mixed: organizations and half of the projects have
 * guarantees, jobs three priorities, most can be preempted after a second, and some are gangs.
 */
const mixes = z.enum(['plain', 'mixed']);
type Mix = z.infer<typeof mixes>;
const PRIORITIES: readonly Priority[] = ['normal', 'low', 'high'];

const measured = z.object({
  mix: mixes,
  nodes: z.number(),
  queued: z.number(),
  /** Starts per second of processor time while an empty cluster fills. */
  decisionsPerSecond: z.number(),
  /** The cycle after all the others have come to the full cluster: what it decides, and in how many seconds. */
  rush: z.object({ decisions: z.number(), seconds: z.number() }),
  /** Microseconds from an event to the end of the cycle that follows it. */
  arrivalUs: percentiles,
  endUs: percentiles,
  nodeChangeUs: percentiles,
  arrivalAfterNodeChangeUs: percentiles,
  /** Mean of the different jobs and nodes that one such event and the cycle after it touched. */
  touched: z.object({ arrival: counts, end: counts, nodeChange: counts, arrivalAfterNodeChange: counts }),
  memoryMiB: z.number(),
});
type Measured = z.infer<typeof measured>;

function world(nodes: number, mix: Mix): Snapshot {
  const guarantee = (part: number) => (mix === 'mixed' ? { milliGpu: Math.floor(nodes * 8 * part) * 1000 } : {});
  return snapshot.parse({
    ...(mix === 'mixed' && { policy: { minRunMs: 1000 } }),
    pools: [{ name: 'gpus' }],
    presets: [1, 2, 4, 8].flatMap((n) =>
      (mix === 'mixed' ? [false, true] : [false]).map((preemptible) => ({
        name: presetName(n, preemptible),
        milliCpu: 8000 * n,
        memoryMiB: 64_000 * n,
        gpu: { kind: 'whole', count: n },
        preemptible,
      })),
    ),
    scopes: [
      ...Array.from({ length: 20 }, (_, o) => ({
        name: `org-${o}`,
        kind: 'organization',
        guarantee: guarantee(1 / 20),
      })),
      ...Array.from({ length: QUEUES }, (_, q) => ({
        name: queueName(q),
        parent: `org-${q % 20}`,
        guarantee: q % 40 < 20 ? guarantee(1 / QUEUES) : {},
      })),
    ],
    nodes: Array.from({ length: nodes }, (_, n) => ({
      name: `node-${n}`,
      pool: 'gpus',
      zone: `zone-${n % 4}`,
      rack: `rack-${n >> 4}`,
      milliCpu: 64_000,
      memoryMiB: 512_000,
      gpu: { model: 'H100', count: 8, memoryMiB: 81_559 },
    })),
  });
}

const queueName = (q: number): string => `org-${q % 20}/project-${q}`;

const presetName = (gpus: number, preemptible: boolean): string => `gpu-${gpus}${preemptible ? '-preemptible' : ''}`;

/** The `n`th job: sizes take turns by queue; mixed, so do priorities and what can be preempted, and each eleventh is a gang. */
function job(n: number, at: number, mix: Mix): Job {
  const turn = Math.floor(n / QUEUES);
  const mixed = mix === 'mixed';
  const gang = mixed && turn % 11 === 10;
  return {
    id: `job-${n}`,
    queue: queueName(n % QUEUES),
    priority: mixed ? (PRIORITIES[turn % 3] as Priority) : 'normal',
    submittedAt: at,
    groups: [{ preset: presetName(2 ** (turn % 4), mixed && turn % 5 !== 0), count: gang ? 4 : 1 }],
    pools: [],
    volumes: [],
    suspended: false,
  };
}

/** Measures one size, in this process. */
function measure(nodes: number, queued: number, samples: number, mix: Mix): Measured {
  const scheduler = new Scheduler(world(nodes, mix));
  let now = 0;
  let n = 0;
  const add = (): void => scheduler.submit(job(n++, now, mix), now);
  // Fill it, then queue.
  let starts = 0;
  const before = process.cpuUsage();
  for (let full = false; !full; ) {
    for (let k = 0; k < 4 * QUEUES; k += 1) add();
    const { decisions } = scheduler.cycle(now);
    starts += decisions.length;
    full = decisions.length < 4 * QUEUES;
  }
  const { user, system } = process.cpuUsage(before);
  const decisionsPerSecond = Math.round((starts * 1e6) / (user + system));
  // The first jobs run for a while before the others come. Some of them may then be preempted.
  now += 10_000;
  while (scheduler.state.jobs.size - scheduler.state.running.size < queued) add();
  const from = performance.now();
  const decisions = scheduler.cycle(now).decisions.length;
  const rush = { decisions, seconds: Math.round(performance.now() - from) / 1000 };

  const timed = (...events: readonly ((k: number) => void)[]) => {
    const times: number[] = [];
    const touched = { jobs: 0, nodes: 0 };
    for (let k = 0; k < samples; k += 1) {
      now += 1;
      const jobs = new Set<string>();
      const nodes = new Set<string>();
      let spent = 0;
      for (const happen of [...events, () => scheduler.cycle(now)]) {
        const from = performance.now();
        happen(k);
        spent += performance.now() - from;
        const { jobIds, nodeNames } = scheduler.touched;
        for (const id of jobIds) jobs.add(id);
        for (const name of nodeNames) nodes.add(name);
      }
      times.push(spent * 1000);
      touched.jobs += jobs.size;
      touched.nodes += nodes.size;
    }
    times.sort((a, b) => a - b);
    const tenth = (n: number): number => Math.round(n * 10) / 10;
    const at = (part: number): number => tenth(times[Math.floor(part * times.length)] ?? 0);
    return {
      us: { p50: at(0.5), p99: at(0.99) },
      touched: { jobs: tenth(touched.jobs / samples), nodes: tenth(touched.nodes / samples) },
    };
  };
  const arrival = timed(add);
  const end = timed(() => {
    const [first] = scheduler.state.running.values();
    if (first !== undefined) scheduler.finish(first.id, now);
  });
  const toggle = (k: number): void => {
    const spec = scheduler.state.nodes.specs[k % nodes];
    if (spec !== undefined) scheduler.putNode({ ...spec, cordoned: !spec.cordoned }, now);
  };
  const nodeChange = timed(toggle);
  const arrivalAfterNodeChange = timed(toggle, add);
  globalThis.gc?.();
  const memoryMiB = Math.round(process.memoryUsage().rss / 2 ** 20);
  return {
    mix,
    nodes,
    queued,
    decisionsPerSecond,
    rush,
    arrivalUs: arrival.us,
    endUs: end.us,
    nodeChangeUs: nodeChange.us,
    arrivalAfterNodeChangeUs: arrivalAfterNodeChange.us,
    touched: {
      arrival: arrival.touched,
      end: end.touched,
      nodeChange: nodeChange.touched,
      arrivalAfterNodeChange: arrivalAfterNodeChange.touched,
    },
    memoryMiB,
  };
}

function inOwnProcess(nodes: number, queued: number, samples: number, mix: Mix): Measured {
  // V8 would let garbage grow to a part of the machine's memory; this is what it may have.
  const args = [
    '--max-old-space-size=768',
    '--expose-gc',
    '--disable-warning=ExperimentalWarning',
    fileURLToPath(import.meta.url),
  ];
  const child = spawnSync(process.execPath, [...args, '--one', `${mix} ${nodes} ${queued} ${samples}`], {
    encoding: 'utf8',
  });
  if (child.status !== 0) throw new Error(`measuring ${mix}, ${nodes} nodes, ${queued} jobs failed:\n${child.stderr}`);
  return measured.parse(JSON.parse(child.stdout));
}

const argument = (name: string): string | undefined => {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
};
const one = argument('--one');
if (one !== undefined) {
  const [mix, ...numbers] = one.split(' ');
  const [nodes = 0, queued = 0, samples = 0] = numbers.map(Number);
  process.stdout.write(JSON.stringify(measure(nodes, queued, samples, mixes.parse(mix))));
} else {
  const samples = Number(argument('--samples') ?? DEFAULT_SAMPLES);
  const given = argument('--mix');
  const results: Measured[] = [];
  const sizes = NODES.flatMap((nodes) => QUEUED.map((queued) => ({ nodes, queued })));
  for (const mix of given === undefined ? mixes.options : [mixes.parse(given)]) {
    for (const { nodes, queued } of sizes) {
      const result = inOwnProcess(nodes, queued, samples, mix);
      results.push(result);
      const { decisionsPerSecond, arrivalUs, endUs, nodeChangeUs, memoryMiB } = result;
      process.stderr.write(
        `${mix}, ${nodes} nodes, ${queued} queued: ${decisionsPerSecond} starts/s; p50 arrival ${arrivalUs.p50} µs, end ${endUs.p50} µs, node change ${nodeChangeUs.p50} µs; ${memoryMiB} MiB\n`,
      );
    }
  }
  const plot = argument('--plot');
  if (plot !== undefined) {
    const costs = results
      .filter(({ mix }) => mix === results[0]?.mix)
      .map(({ nodes, queued, arrivalUs, endUs, nodeChangeUs }) => ({
        nodes,
        queued,
        us: { 'a job arrives': arrivalUs.p50, 'a job ends': endUs.p50, 'a node changes': nodeChangeUs.p50 },
      }));
    writeFileSync(plot, costPlot(costs));
  }
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ queues: QUEUES, sizes: results })}\n`);
}
