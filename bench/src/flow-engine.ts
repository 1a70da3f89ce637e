/**
 * A bake of so many tasks that do nothing, all at once, beside as many plain jobs of the same command, and beside apolo-flow's own
 * executor on this machine, which makes them and waits for them. On an instance that is up; one after the other, since all need the
 * same places. Then the engine's core alone, in simulated time.
 *
 *   ours   the bake is submitted → the platform says that it has ended
 *   bare   the first job is submitted → the last one has ended
 *   client `apolo-flow bake --local-executor` is started → it ends
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { bakeIn, flowClient } from '@delos/test';
import { z } from 'zod';
import { delos, delosJson, statusSchema } from './delos.ts';
import { simulate } from './flow-engine/simulated.ts';
import { median, numberOption, report, say, seconds } from './measure.ts';

const IMAGE = 'ghcr.io/neuro-inc/base';
const LOOK_MS = 250;
const SIMULATED = 10_000;
/** Requests at once, where there is one for each job. */
const AT_ONCE = 8;
/** Rows of one matrix. */
const ROWS = 200;

const jobs = numberOption('--samples', 200);
const engine = simulate(SIMULATED);
say(`${SIMULATED} tasks in simulated time: ${engine.msPerTask.toFixed(3)} ms each, ${engine.mebibytes.toFixed(0)} MiB`);
const status = await delosJson(statusSchema, ['status']);
const { apiUrl, adminUser } = status.platform;
if (!status.up || apiUrl === null) {
  process.stderr.write('error: this instance is not up\n  run ./delos up first\n');
  process.exit(7);
}
const token = (await delos(['token', '--user', adminUser, '--ttl', '4h'])).trim();
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
  const response = await fetch(`${apiUrl}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
};
const config = z
  .object({
    clusters: z.tuple([z.object({ name: z.string(), resource_presets: z.array(z.object({ name: z.string() })) })]),
    projects: z.array(z.object({ name: z.string(), org_name: z.string() })).min(1),
  })
  .parse(await ask('GET', '/config'));
const [cluster] = config.clusters;
const preset = cluster.resource_presets[0]?.name ?? '';
const place = { org_name: config.projects[0]?.org_name, project_name: config.projects[0]?.name };
const jobSchema = z.looseObject({ id: z.string(), status: z.string() });
const isOver = (state: string): boolean => !['pending', 'running', 'suspended'].includes(state);

function flow(tasks: number): string {
  const rows = Array.from({ length: Math.ceil(tasks / ROWS) }, (_, nth) => {
    const count = Math.min(ROWS, tasks - nth * ROWS);
    return `  - {id: "t${nth}_\${{ matrix.x }}", image: ${IMAGE}, needs: [], cmd: "true", strategy: {matrix: {x: "\${{ range(${count}) }}"}}}\n`;
  });
  return `kind: batch\ndefaults: {preset: ${preset}, max_parallel: ${tasks}, cache: {strategy: none}}\ntasks:\n${rows.join('')}`;
}

async function ours(tasks: number): Promise<number> {
  const begun = performance.now();
  const bake = z.looseObject({ id: z.string(), job: z.string() }).parse(
    await ask('POST', '/flow/bakes/submit', {
      ...{ ...place, flow: 'bench', batch: 'nothing', workspace: '/bench' },
      flow_file: { filename: '/bench/.apolo/nothing.yml', content: flow(tasks) },
    }),
  );
  for (;;) {
    const job = jobSchema.parse(await ask('GET', `/jobs/${bake.job}`));
    if (job.status === 'succeeded') return performance.now() - begun;
    if (isOver(job.status)) throw new Error(`bake ${bake.id} has ${job.status}`);
    await sleep(LOOK_MS);
  }
}

async function bare(tasks: number): Promise<number> {
  const tag = `bench-${randomBytes(4).toString('hex')}`;
  const begun = performance.now();
  let left = tasks;
  const submit = async (): Promise<void> => {
    for (; left > 0; ) {
      left -= 1;
      await ask('POST', '/jobs?from_preset', {
        ...{ ...place, preset_name: preset, image: IMAGE, command: 'true', tags: [tag], pass_config: false },
        ...{ cluster_name: cluster.name, wait_for_jobs_quota: true },
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, submit));
  const alive = 'status=pending&status=running&status=suspended';
  for (;;) {
    const list = z.object({ jobs: z.array(jobSchema) }).parse(await ask('GET', `/jobs?tag=${tag}&${alive}&limit=1`));
    if (list.jobs.length === 0) break;
    await sleep(LOOK_MS);
  }
  const time = performance.now() - begun;
  const all = z.object({ jobs: z.array(jobSchema) }).parse(await ask('GET', `/jobs?tag=${tag}&status=succeeded`));
  if (all.jobs.length !== tasks) throw new Error(`${all.jobs.length} of ${tasks} plain jobs succeeded`);
  return time;
}

async function client(tasks: number): Promise<number> {
  const here = await flowClient();
  try {
    await here.apolo.ok(['config', 'login-with-token', token, apiUrl ?? '']);
    if (place.project_name !== undefined) await here.apolo.ok(['config', 'switch-project', place.project_name]);
    const folder = await here.workspace({ '.apolo/nothing.yml': flow(tasks), '.apolo/project.yml': 'id: bench\n' });
    const begun = performance.now();
    const told = await here.ok(folder, ['bake', '--local-executor', 'nothing'], { timeout: 3600 });
    say(`apolo-flow's own executor: ${bakeIn(told)}`);
    return performance.now() - begun;
  } finally {
    await here.close();
  }
}

// The image, the flow and whatever else is made once.
await ours(2);
const plain = [seconds(await bare(jobs))];
say(`${jobs} plain jobs: ${plain[0]} s`);
const baked = [seconds(await ours(jobs))];
say(`a bake of ${jobs} tasks: ${baked[0]} s`);
plain.push(seconds(await bare(jobs)));
say(`${jobs} plain jobs once more: ${plain[1]} s`);
const theirs = seconds(await client(jobs));
const ratio = median(baked) / median(plain);
report(
  {
    name: 'flow-engine',
    ratio: Math.round(ratio * 1000) / 1000,
    jobs,
    ours: baked,
    bare: plain,
    client: [theirs],
    ratioToClient: Math.round((median(baked) / theirs) * 1000) / 1000,
    engine,
  },
  [
    `flow-engine: ${jobs} tasks that do nothing, all at once`,
    `  a bake                       ${median(baked).toFixed(1)} s`,
    `  plain jobs, before and after ${plain.map((each) => each.toFixed(1)).join(' and ')} s`,
    `  ratio                        ${ratio.toFixed(2)} (aim: at most 1.1)`,
    `  apolo-flow's own executor    ${theirs.toFixed(1)} s`,
    `  the engine alone, ${SIMULATED} tasks: ${engine.msPerTask.toFixed(3)} ms of processor each, ${engine.mebibytes.toFixed(0)} MiB (aims: 1 ms, 256 MiB)`,
  ].join('\n'),
);
