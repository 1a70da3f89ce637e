import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type ErrorCode, isDelosError } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run, type SimulateOptions } from '../../../cli/src/commands/simulate/simulate.ts';
import { type CommandContext, commandContext } from '../../../cli/src/context.ts';

const WORLD = [
  'pools: [{ name: p }]',
  'nodes: [{ name: n, pool: p, milliCpu: 2000, memoryMiB: 1024 }]',
  'presets: [{ name: core, milliCpu: 1000, memoryMiB: 0 }]',
  'scopes:',
  '  - { name: a }',
  '',
].join('\n');
const JOB = 'queue: a, at: 0, runMs: 5, groups: [{ preset: core }]';
const OPTIONS = { arrivals: '1.3', seeds: '42', policy: 'default', bound: false };

let folder: string;
let printed: unknown;
let warned: string[];
let context: CommandContext;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-workload-'));
  context = {
    ...commandContext({ json: true }, folder),
    progress: { phase: () => () => undefined, step: () => undefined, warn: (text) => warned.push(text) },
    result: (document) => {
      printed = document;
    },
  };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the command on files of a folder; options name them without it. */
async function simulate(
  files: Readonly<Record<string, string | Buffer>>,
  options: Partial<SimulateOptions>,
): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const at = (name: string | undefined): string | undefined => (name === undefined ? undefined : join(folder, name));
  const { workload, snapshot, html, ...rest } = options;
  warned = [];
  await run(context, {
    ...OPTIONS,
    ...rest,
    ...(workload === undefined ? {} : { workload: workload.map((name) => join(folder, name)) }),
    ...(snapshot === undefined ? {} : { snapshot: at(snapshot) as string }),
    ...(html === undefined ? {} : { html: at(html) as string }),
  });
}

const LOG = ['; MaxNodes: 2', '; MaxProcs: 8', '1 0 -1 100 2 -1 -1 2 200 -1 1 7 3 -1 1 1 -1 -1', ''].join('\n');

test('a workload laid over two others is told as one', async () => {
  await simulate(
    {
      'first.yaml': WORLD,
      'second.yaml': 'base: first.yaml\nnodes: [{ name: n, milliCpu: 1000 }]\n',
      'third.yaml': `base: second.yaml\ntitle: third\njobs: [{ id: x, ${JOB} }, { id: y, ${JOB} }]\n`,
    },
    { workload: ['third.yaml'] },
  );
  expect(printed).toMatchObject({ workloads: [{ title: 'third', ended: 2, makespanMs: 10 }] });
});

test('jobs of a log that are left out are counted', async () => {
  const cancelled = '2 0 -1 -1 2 -1 -1 2 200 -1 5 7 3 -1 1 1 -1 -1\n';
  const tooLarge = '3 0 -1 10 9 -1 -1 9 200 -1 1 7 3 -1 1 1 -1 -1\n';
  await simulate({ 'log.swf': `${LOG}${cancelled}${tooLarge}` }, { workload: ['log.swf'] });
  expect(warned).toEqual([expect.stringContaining('2 jobs are left out')]);
  expect(printed).toMatchObject({ workloads: [{ jobs: 1, ended: 1 }] });
});

test('lines that tell the parts of one run are no jobs of their own', async () => {
  const parts = ['2', '3'].map((status) => `1 0 -1 50 2 -1 -1 2 200 -1 ${status} 7 3 -1 1 1 -1 -1`).join('\n');
  await simulate({ 'log.swf': `${LOG}${parts}\n` }, { workload: ['log.swf'] });
  expect(printed).toMatchObject({ workloads: [{ jobs: 1, makespanMs: 100_000 }] });
});

/** Eight jobs of a core each, a second apart, on a machine of four: the log's clock shows `start` at the first of them. */
const clocked = (start: number): string =>
  [
    '; MaxNodes: 2',
    '; MaxProcs: 4',
    ...Array.from({ length: 8 }, (_, n) => `${n + 1} ${start + n} -1 30 1 -1 -1 1 60 -1 1 1 1 -1 1 1 -1 -1`),
    '',
  ].join('\n');

test.each([
  { what: 'from 1970', start: 1_356_996_157 },
  { what: 'from an hour before the first job', start: 3600 },
])(
  'the figures of a log whose times count $what are those of one that counts from its first job',
  async ({ start }) => {
    await simulate({ 'log.swf': clocked(0) }, { workload: ['log.swf'] });
    const fromZero = printed;
    // 8 × 30 core seconds; the last two start with the first end of the second row: 4 cores from 0 to 63 s.
    expect(fromZero).toMatchObject({
      workloads: [{ ended: 8, makespanMs: 63_000, utilization: { cpu: expect.closeTo(240 / (4 * 63), 6) } }],
    });
    await simulate({ 'log.swf': clocked(start) }, { workload: ['log.swf'] });
    expect(printed).toEqual(fromZero);
  },
);

test('a job that is left out does not set the instant from which a log counts', async () => {
  const cancelled = '99 5 -1 -1 1 -1 -1 1 60 -1 5 1 1 -1 1 1 -1 -1\n';
  await simulate({ 'log.swf': clocked(1000) + cancelled }, { workload: ['log.swf'] });
  expect(printed).toMatchObject({
    workloads: [{ makespanMs: 63_000, utilization: { cpu: expect.closeTo(240 / 252, 6) } }],
  });
});

test('the use of a workload counts from its first arrival, whenever that is', async () => {
  const late = JOB.replace('at: 0', 'at: 1000000');
  await simulate({ 'late.yaml': `${WORLD}jobs: [{ id: x, ${late} }]\n` }, { workload: ['late.yaml'] });
  expect(printed).toMatchObject({ workloads: [{ makespanMs: 5, utilization: { cpu: 0.5 } }] });
});

test('the report is written where it was asked for', async () => {
  await simulate({ 'log.swf': LOG }, { workload: ['log.swf'], html: 'report.html' });
  expect(await readFile(join(folder, 'report.html'), 'utf8')).toContain('<h2>log.swf</h2>');
});

/** So many jobs that arrive a second after one another, each a second on the whole machine. */
const longLog = (jobs: number): string =>
  LOG.split('\n').slice(0, 2).join('\n') +
  Array.from({ length: jobs }, (_, n) => `\n${n + 1} ${n} -1 1 8 -1 -1 8 1 -1 1 7 3 -1 1 1 -1 -1`).join('');

test.each([
  { what: 'in several pieces', packed: gzipSync(longLog(5000)) },
  {
    what: 'of several archives',
    packed: Buffer.concat(
      longLog(5000)
        .split(/(?<=;.*\n)/)
        .map((part) => gzipSync(part)),
    ),
  },
])('a compressed log $what is read as one that is not', async ({ packed }) => {
  await simulate({ 'log.swf': longLog(5000) }, { workload: ['log.swf'] });
  const plain = printed;
  await simulate({ 'log.swf.gz': packed }, { workload: ['log.swf.gz'] });
  expect(printed).toMatchObject({ workloads: [{ jobs: 5000, makespanMs: 5_000_000 }] });
  expect(JSON.parse(JSON.stringify(printed).replace('log.swf.gz', 'log.swf'))).toEqual(
    JSON.parse(JSON.stringify(plain)),
  );
});

interface Case {
  readonly what: string;
  readonly files: Readonly<Record<string, string | Buffer>>;
  readonly options: Partial<SimulateOptions>;
  readonly code: ErrorCode;
  readonly where?: { readonly file: string; readonly line?: number; readonly field?: string };
  readonly words: RegExp;
}

const json = (text: string): string => JSON.stringify({ pools: [{ name: 'p' }], scopes: [JSON.parse(text)] }, null, 1);
const cases: readonly Case[] = [
  {
    what: 'files that are based on each other',
    files: { 'a.yaml': 'title: a\nbase: b.yaml\n', 'b.yaml': 'base: a.yaml\n' },
    options: { workload: ['a.yaml'] },
    code: 'ERR_CONFIG_VALUE',
    where: { file: 'b.yaml', line: 1, field: 'base' },
    words: /is based on itself/,
  },
  {
    what: 'a negative number in the upper file',
    files: { 'a.yaml': WORLD, 'b.yaml': 'title: b\nbase: a.yaml\nnodes: [{ name: n, milliCpu: -4 }]\n' },
    options: { workload: ['b.yaml'] },
    code: 'ERR_CONFIG_VALUE',
    where: { file: 'b.yaml', line: 3, field: 'nodes[0].milliCpu' },
    words: /at least 0, found -4/,
  },
  {
    what: 'a negative number in the lower file',
    files: { 'a.yaml': WORLD.replace('2000', '-2000'), 'b.yaml': 'base: a.yaml\nnodes: [{ name: n, memoryMiB: 4 }]\n' },
    options: { workload: ['b.yaml'] },
    code: 'ERR_CONFIG_VALUE',
    where: { file: 'a.yaml', line: 2, field: 'nodes[0].milliCpu' },
    words: /found -2000/,
  },
  {
    what: 'a cyclic tree of which either file has a part',
    files: {
      'a.yaml': `${WORLD}  - { name: b, parent: a }\n`,
      'b.yaml': 'base: a.yaml\nscopes:\n  - { name: a, parent: b }\n',
    },
    options: { workload: ['b.yaml'] },
    code: 'ERR_CONFIG_VALUE',
    where: { file: 'b.yaml', line: 3, field: 'scopes[0].parent' },
    words: /a → b → a/,
  },
  {
    what: 'a cyclic tree in JSON',
    files: { 'a.json': json('{"name":"a","parent":"a"}') },
    options: { snapshot: 'a.json' },
    code: 'ERR_CONFIG_VALUE',
    where: { file: 'a.json', line: 10, field: 'scopes[0].parent' },
    words: /its own ancestor/,
  },
  {
    what: 'an unknown key in JSON',
    files: { 'a.json': json('{"name":"a","wieght":2}') },
    options: { snapshot: 'a.json' },
    code: 'ERR_CONFIG_VALUE',
    where: { file: 'a.json', line: 10, field: 'scopes[0].wieght' },
    words: /wieght/,
  },
  {
    what: 'a stream whose jobs are called as another job',
    files: {
      'a.yaml': `${WORLD}jobs: [{ id: s-1, ${JOB} }]\nstreams:\n  - { name: s, ${JOB.replace('at: 0, ', '')}, everyMs: 1, count: 2 }\n`,
    },
    options: { workload: ['a.yaml'] },
    code: 'ERR_CONFIG_VALUE',
    where: { file: 'a.yaml', line: 8, field: 'streams[0].name' },
    words: /two jobs are called s-1/,
  },
  {
    what: 'counted nodes that are called as another node',
    files: {
      'a.yaml': WORLD.replace('nodes: [', 'nodes: [{ name: m-0, pool: p, milliCpu: 1, memoryMiB: 1 }, ').replace(
        'name: n,',
        'name: m, replicas: 2,',
      ),
    },
    options: { workload: ['a.yaml'] },
    code: 'ERR_CONFIG_VALUE',
    where: { file: 'a.yaml', line: 2, field: 'nodes[1].name' },
    words: /two nodes are called m-0/,
  },
  {
    what: 'an energy window that ends before it begins',
    files: { 'a.yaml': `${WORLD}policy: { energyWindows: [{ from: 9, until: 3, maxMilliGpu: 0 }] }\n` },
    options: { snapshot: 'a.yaml' },
    code: 'ERR_CONFIG_VALUE',
    where: { file: 'a.yaml', line: 6, field: 'policy.energyWindows[0].until' },
    words: /until must be after from/,
  },
  {
    what: 'two jobs of one number in a log',
    files: { 'log.swf': `${LOG}${LOG.split('\n')[2]}\n` },
    options: { workload: ['log.swf'] },
    code: 'ERR_CONFIG_VALUE',
    where: { file: 'log.swf', line: 4, field: 'job number' },
    words: /job 1 is there already, in line 3/,
  },
  {
    what: 'a fault in a compressed log',
    files: { 'log.swf.gz': gzipSync(`${LOG}${LOG.split('\n')[2]}\n`) },
    options: { workload: ['log.swf.gz'] },
    code: 'ERR_CONFIG_VALUE',
    where: { file: 'log.swf.gz', line: 4, field: 'job number' },
    words: /job 1 is there already, in line 3/,
  },
  {
    what: 'an archive that is cut off',
    files: { 'log.swf.gz': gzipSync(LOG).subarray(0, 40) },
    options: { workload: ['log.swf.gz'] },
    code: 'ERR_CONFIG_SYNTAX',
    where: { file: 'log.swf.gz' },
    words: /the archive is broken: unexpected end of file/,
  },
  {
    what: 'an archive that is none',
    files: { 'log.swf.gz': LOG },
    options: { workload: ['log.swf.gz'] },
    code: 'ERR_CONFIG_SYNTAX',
    where: { file: 'log.swf.gz' },
    words: /the archive is broken: incorrect header check/,
  },
  {
    what: 'a log that is not there',
    files: {},
    options: { workload: ['nowhere.swf.gz'] },
    code: 'ERR_CONFIG_NOT_FOUND',
    where: { file: 'nowhere.swf.gz' },
    words: /cannot be read/,
  },
  {
    what: 'a report that cannot be written',
    files: { 'log.swf': LOG },
    options: { workload: ['log.swf'], html: 'nowhere/report.html' },
    code: 'ERR_USAGE',
    where: { file: 'report.html' },
    words: /cannot be written/,
  },
  {
    what: 'two questions at once',
    files: { 'log.swf': LOG },
    options: { workload: ['log.swf'], snapshot: 'log.swf' },
    code: 'ERR_USAGE',
    words: /--workload and --snapshot/,
  },
  {
    what: 'a report of what has none',
    files: { 'a.yaml': WORLD },
    options: { snapshot: 'a.yaml', html: 'report.html' },
    code: 'ERR_USAGE',
    words: /--html/,
  },
];

describe('bad input is one error that names file, line and field', () => {
  test.each(cases)('$what', async ({ files, options, code, where, words }) => {
    const error: unknown = await simulate(files, options).catch((reason: unknown) => reason);
    if (!isDelosError(error, code)) throw error;
    expect(error.message).toMatch(words);
    if (where === undefined) return;
    const { file, line, field } = error.where ?? {};
    expect({ file: file?.split('/').at(-1), line, field }).toEqual({ line: undefined, field: undefined, ...where });
  });
});
