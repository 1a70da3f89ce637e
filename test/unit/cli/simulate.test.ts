import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDelosError } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { run, type SimulateOptions } from '../../../cli/src/commands/simulate/simulate.ts';
import { type CommandContext, commandContext } from '../../../cli/src/context.ts';

const NODES = 'sn,cpu_milli,memory_mib,gpu,model\nn1,32000,65536,4,T4\nn2,8000,16384,1,A10\n';
const PODS = [
  'name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos',
  'p1,4000,8192,1,500,,LS',
  'p2,4000,8192,1,1000,T4|A10,LS',
  'p3,2000,4096,0,0,,BE',
  'p4,8000,8192,2,1000,,LS',
  '',
].join('\n');
const OPTIONS = { arrivals: '1.3', seeds: '42-44', policy: 'random,bestfit,fgd,default', bound: true };

const reportSchema = z.object({
  bound: z.number(),
  policies: z.array(
    z.object({ policy: z.string(), mean: z.number(), perSeed: z.array(z.number()), msPerDecision: z.number() }),
  ),
});

let folder: string;
let printed: { document: unknown; text: string } | undefined;
let context: CommandContext;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-simulate-'));
  context = {
    ...commandContext({ json: true }, folder),
    progress: { phase: () => () => undefined, step: () => undefined, warn: () => undefined },
    result: (document, text) => {
      printed = { document, text };
    },
  };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function simulate(nodes: string, pods: string, options: Partial<SimulateOptions> = {}): Promise<unknown> {
  const files = { nodes: join(folder, 'nodes.csv'), pods: join(folder, 'pods.csv') };
  await writeFile(files.nodes, nodes);
  await writeFile(files.pods, pods);
  printed = undefined;
  await run(context, { ...OPTIONS, ...files, ...options });
  return printed;
}

test('each policy is reported with its mean, each seed and its cost, beside the bound', async () => {
  await simulate(NODES, PODS);
  const { bound, policies } = reportSchema.parse(printed?.document);
  expect(policies.map(({ policy }) => policy)).toEqual(['random', 'bestfit', 'fgd', 'default']);
  for (const { mean, perSeed, msPerDecision } of policies) {
    expect(perSeed).toHaveLength(3);
    expect(mean).toBeCloseTo(perSeed.reduce((sum, value) => sum + value, 0) / 3, 2);
    expect(mean).toBeLessThanOrEqual(bound + 1e-3);
    expect(mean).toBeGreaterThan(50);
    expect(msPerDecision).toBeGreaterThanOrEqual(0);
  }
  expect(bound).toBeLessThanOrEqual(100);
  expect(printed?.text).toContain('2 nodes, 5 GPUs; 4 Pods');
});

test('a byte order mark, quotes, blank lines and further columns are read', async () => {
  const nodes = '\uFEFFmodel,sn,gpu,memory_mib,cpu_milli,rack\n"T4","a, b",4,65536,32000,7\n\nA10,c,1,16384,8000,8\n';
  await simulate(nodes, PODS, { policy: 'bestfit', seeds: '7', bound: false });
  expect(printed?.document).toMatchObject({
    bound: null,
    policies: [{ policy: 'bestfit', perSeed: [expect.any(Number)] }],
  });
});

/** A table without one of its columns. */
const without = (table: string, column: string): string => {
  const rows = table
    .trimEnd()
    .split('\n')
    .map((row) => row.split(','));
  const at = rows[0]?.indexOf(column) ?? -1;
  expect(at, `the table has ${column}`).toBeGreaterThanOrEqual(0);
  return `${rows.map((row) => row.toSpliced(at, 1).join(',')).join('\n')}\n`;
};

const WHOLE_PODS = PODS.replace('1,500,', '1,1000,').replace('T4|A10', '');
const ANONYMOUS_NODES = NODES.replaceAll(/,(T4|A10)$/gm, ',');
test.each([
  ['nodes', 'sn', NODES, WHOLE_PODS],
  ['nodes', 'model', ANONYMOUS_NODES, WHOLE_PODS],
  ['pods', 'name', NODES, PODS],
  ['pods', 'gpu_milli', NODES, WHOLE_PODS],
  ['pods', 'gpu_spec', NODES, WHOLE_PODS],
])(
  'a table of %s without the column %s is read as one that has its default in every row',
  async (which, column, nodes, pods) => {
    const options = { policy: 'bestfit,fgd,default', bound: true };
    const figures = () => {
      const { bound, policies } = reportSchema.parse(printed?.document);
      return { bound, policies: policies.map(({ policy, perSeed }) => ({ policy, perSeed })) };
    };
    await simulate(nodes, pods, options);
    const full = figures();
    const [fewer, others] = which === 'nodes' ? [without(nodes, column), pods] : [nodes, without(pods, column)];
    await simulate(fewer, others, options);
    expect(figures()).toEqual(full);
  },
);

describe('bad input is one error that names file, line and column', () => {
  const line = (text: string, old: string | RegExp, fresh: string): string => text.replace(old, fresh);
  const cases: readonly (readonly [string, string, string, { file: string; line?: number; field?: string }, RegExp])[] =
    [
      [
        'a missing column',
        NODES.replace(',gpu,', ',gpus,'),
        PODS,
        { file: 'nodes.csv', line: 1 },
        /column gpu is missing/,
      ],
      [
        'a negative number',
        line(NODES, 'n2,8000', 'n2,-8000'),
        PODS,
        { file: 'nodes.csv', line: 3, field: 'cpu_milli' },
        /whole number of 0–\d+, found "-8000"/,
      ],
      [
        'a fraction',
        NODES,
        line(PODS, '2,1000,,', '2.5,1000,,'),
        { file: 'pods.csv', line: 5, field: 'num_gpu' },
        /found "2.5"/,
      ],
      [
        'more than a GPU',
        NODES,
        line(PODS, '1,500', '1,1500'),
        { file: 'pods.csv', line: 2, field: 'gpu_milli' },
        /0–1000, found "1500"/,
      ],
      [
        'parts of several GPUs',
        NODES,
        line(PODS, '2,1000,,', '2,500,,'),
        { file: 'pods.csv', line: 5, field: 'gpu_milli' },
        /only one GPU can be shared/,
      ],
      [
        'nothing of a GPU',
        NODES,
        line(PODS, '1,500', '1,0'),
        { file: 'pods.csv', line: 2, field: 'gpu_milli' },
        /1–1000/,
      ],
      ['a row too short', NODES, line(PODS, ',,BE', ''), { file: 'pods.csv', line: 4 }, /expected 7 fields, found 5/],
      [
        'two nodes of one name',
        line(NODES, 'n2', 'n1'),
        PODS,
        { file: 'nodes.csv', line: 3, field: 'sn' },
        /already, in line 2/,
      ],
      [
        'a line after a quoted line break',
        'sn,cpu_milli,memory_mib,gpu,model\n"n\n1",1,1,1,T4\nn2,x,1,1,T4\n',
        PODS,
        { file: 'nodes.csv', line: 4, field: 'cpu_milli' },
        /found "x"/,
      ],
      ['an open quote', line(NODES, 'n2', '"n2'), PODS, { file: 'nodes.csv', line: 3 }, /not valid CSV/],
      ['an empty file', '', PODS, { file: 'nodes.csv', line: 1 }, /empty/],
      [
        'no row',
        NODES,
        'name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n',
        { file: 'pods.csv', line: 1 },
        /no row/,
      ],
      [
        'nodes without GPUs',
        'sn,cpu_milli,memory_mib,gpu,model\nn1,1,1,0,\n',
        PODS,
        { file: 'nodes.csv', field: 'gpu' },
        /no node has a GPU/,
      ],
      [
        'Pods without GPUs',
        NODES,
        line(PODS, /p[124].*\n/g, ''),
        { file: 'pods.csv', field: 'num_gpu' },
        /no Pod asks/,
      ],
    ];
  test.each(cases)('%s', async (_, nodes, pods, where, words) => {
    const error: unknown = await simulate(nodes, pods).catch((reason: unknown) => reason);
    if (!isDelosError(error, 'ERR_CSV')) throw error;
    expect(error.message).toMatch(words);
    expect({ ...error.where, file: error.where?.file?.split('/').at(-1) }).toEqual(where);
    expect(error.hint).toBeDefined();
  });

  test('a file that is not there', async () => {
    const missing = join(folder, 'none.csv');
    const error: unknown = await run(context, { ...OPTIONS, nodes: missing, pods: missing }).catch(
      (reason: unknown) => reason,
    );
    if (!isDelosError(error, 'ERR_NOT_FOUND')) throw error;
    expect(error.where?.file).toBe(missing);
  });
});

describe('an option that is not accepted names itself and what is', () => {
  const cases: readonly (readonly [Partial<SimulateOptions>, RegExp])[] = [
    [{ arrivals: 'many' }, /--arrivals many/],
    [{ arrivals: '0' }, /--arrivals 0/],
    [{ seeds: '51-42' }, /--seeds 51-42/],
    [{ seeds: 'a' }, /--seeds a/],
    [{ policy: 'bestfti' }, /no placement policy "bestfti"/],
  ];
  test.each(cases)('%j', async (options, words) => {
    const error: unknown = await simulate(NODES, PODS, options).catch((reason: unknown) => reason);
    if (!isDelosError(error, 'ERR_USAGE')) throw error;
    expect(error.message).toMatch(words);
  });

  test('neither file given', async () => {
    await expect(run(context, OPTIONS)).rejects.toThrow(/--nodes FILE and --pods FILE/);
  });
});
