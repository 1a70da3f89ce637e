import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDelosError } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { simulateSnapshot } from '../../../cli/src/commands/simulate/snapshot.ts';
import { type CommandContext, commandContext } from '../../../cli/src/context.ts';

/** Two jobs run, one on each device of a node, and a third has the node kept for it. Each line is one value or thing. */
const WORLD = `now: 100
pools: [{ name: p }]
nodes:
  - name: n
    pool: p
    milliCpu: 4000
    memoryMiB: 4096
    ephemeralMiB: 100
    pods: 4
    gpu: { model: A, count: 2, memoryMiB: 1000 }
    slices: { nvidia.com/mig-1g.10gb: 1 }
presets:
  - { name: one, milliCpu: 1000, memoryMiB: 1024, gpu: { kind: whole, count: 1 } }
  - { name: two, milliCpu: 0, memoryMiB: 0, gpu: { kind: whole, count: 2 } }
  - { name: part, milliCpu: 0, memoryMiB: 0, gpu: { kind: fraction, milli: 600 } }
  - { name: mps, milliCpu: 0, memoryMiB: 0, gpu: { kind: fraction, milli: 300, sharing: mps } }
  - { name: slice, milliCpu: 0, memoryMiB: 0, gpu: { kind: slice, profile: nvidia.com/mig-1g.10gb, count: 1 } }
  - { name: claim, milliCpu: 0, memoryMiB: 0, gpu: { kind: claim, requests: [{ name: r, class: any, count: 2 }] } }
  - { name: cpu, milliCpu: 1000, memoryMiB: 0 }
  - { name: disk, milliCpu: 0, memoryMiB: 0, ephemeralMiB: 100 }
deviceClasses: [{ name: any }]
scopes:
  - name: q
    history: [0, 0, 0, 0, 0]
    historyAt: 100
jobs:
  - id: x
    queue: q
    submittedAt: 0
    groups: [{ preset: one }]
    running:
      startedAt: 0
      pods: [{ group: 0, node: n, gpus: [0] }]
  - id: y
    queue: q
    submittedAt: 0
    groups: [{ preset: one }]
    running:
      startedAt: 0
      pods: [{ group: 0, node: n, gpus: [1] }]
  - id: z
    queue: q
    submittedAt: 0
    groups: [{ preset: two }]
reservations:
  - job: z
    nodes: [n]
`;

/** Line of the world that says so for the nth time. */
const lineOf = (text: string, nth = 1): number => {
  const lines = WORLD.split('\n').flatMap((line, index) => (line.includes(text) ? [index + 1] : []));
  return lines[nth - 1] ?? Number.NaN;
};
const Y_PODS = lineOf('pods: [{', 2);
/** Job y with another preset and other devices. */
const other = (preset: string, gpus: string): readonly (readonly [string, string])[] => [
  [
    'id: y\n    queue: q\n    submittedAt: 0\n    groups: [{ preset: one }]',
    `id: y\n    queue: q\n    submittedAt: 0\n    groups: [{ preset: ${preset} }]`,
  ],
  ['gpus: [1]', `gpus: [${gpus}]`],
];

/** Job z runs as well, on the device of y. */
const third = (preset: string): readonly [string, string] => [
  'preset: two }]',
  `preset: ${preset} }]\n    running: { startedAt: 0, pods: [{ group: 0, node: n, gpus: [1] }] }`,
];

interface Case {
  readonly what: string;
  readonly change: readonly (readonly [from: string, to: string])[];
  /** Left out: that of y's Pod. */
  readonly line?: number;
  readonly field: string;
  readonly words: string;
  /** A cluster that was observed may be so. */
  readonly mayBeSeen?: true;
}

const cases: readonly Case[] = [
  {
    what: 'more CPU than the node has',
    change: [['milliCpu: 4000', 'milliCpu: 1999']],
    field: 'jobs[1].running.pods[0].node',
    words: 'with this Pod node n would hold 2 cores, more than its 1.999 cores',
    mayBeSeen: true,
  },
  {
    what: 'more memory than the node has',
    change: [['memoryMiB: 4096', 'memoryMiB: 2047.5']],
    field: 'jobs[1].running.pods[0].node',
    words: 'would hold 2048 MiB of memory, more than its 2047.5 MiB',
    mayBeSeen: true,
  },
  {
    what: 'more ephemeral storage than the node has',
    change: [['ephemeralMiB: 100\n    pods', 'ephemeralMiB: 99\n    pods'], ...other('disk', '')],
    field: 'jobs[1].running.pods[0].node',
    words: 'would hold 100 MiB of ephemeral storage, more than its 99 MiB',
    mayBeSeen: true,
  },
  {
    what: 'more Pods than the node may have',
    change: [['pods: 4', 'pods: 1']],
    field: 'jobs[1].running.pods[0].node',
    words: 'would hold 2 Pods, more than its 1 Pod',
    mayBeSeen: true,
  },
  {
    what: 'more slices than the node has',
    change: [['mig-1g.10gb: 1', 'mig-1g.10gb: 0'], ...other('slice', '')],
    field: 'jobs[1].running.pods[0].node',
    words: 'would hold 1 nvidia.com/mig-1g.10gb, more than its 0',
    mayBeSeen: true,
  },
  {
    what: 'a device of two whole jobs',
    change: [['gpus: [1]', 'gpus: [0]']],
    field: 'jobs[1].running.pods[0].gpus[0]',
    words: 'device 0 of node n is taken by job x',
  },
  {
    what: 'a part of a device that is taken as a whole',
    change: other('part', '0'),
    field: 'jobs[1].running.pods[0].gpus[0]',
    words: 'device 0 of node n is taken by job x',
  },
  {
    what: 'parts that are more than a device',
    change: [...other('part', '1'), third('part')],
    line: lineOf('preset: two') + 1,
    field: 'jobs[2].running.pods[0].gpus[0]',
    words: 'parts of device 1 of node n would be 1.2 together',
  },
  {
    what: 'a device that is shared in two ways',
    change: [...other('part', '1'), third('mps')],
    line: lineOf('preset: two') + 1,
    field: 'jobs[2].running.pods[0].gpus[0]',
    words: 'is shared by time-slice (job y), and this Pod shares it by mps',
  },
  {
    what: 'one device twice in a Pod',
    change: [
      [
        'groups: [{ preset: one }]\n    running:\n      startedAt: 0\n      pods: [{ group: 0, node: n, gpus: [0] }]',
        'groups: [{ preset: cpu }]\n    running:\n      startedAt: 0\n      pods: [{ group: 0, node: n }]',
      ],
      ...other('two', '1, 1'),
    ],
    field: 'jobs[1].running.pods[0].gpus[1]',
    words: 'device 1 is named twice',
  },
  {
    what: 'devices that are left out',
    change: [[', gpus: [1]', '']],
    field: 'jobs[1].running.pods[0].gpus',
    words: 'preset one takes 1 numbered device, found 0',
    mayBeSeen: true,
  },
  {
    what: 'fewer devices than a claim takes',
    change: other('claim', '1'),
    field: 'jobs[1].running.pods[0].gpus',
    words: 'preset claim takes 2 numbered devices, found 1',
    mayBeSeen: true,
  },
  {
    what: 'more devices than the preset takes',
    change: other('cpu', '1'),
    field: 'jobs[1].running.pods[0].gpus',
    words: 'preset cpu takes 0 numbered devices, found 1',
  },
  {
    what: 'a device that the node has not',
    change: [['gpus: [1]', 'gpus: [2]']],
    field: 'jobs[1].running.pods[0].gpus[0]',
    words: 'node n has no device 2',
  },
  {
    what: 'a node that is not there',
    change: [['node: n, gpus: [1]', 'node: m, gpus: [1]']],
    field: 'jobs[1].running.pods[0].node',
    words: 'there is no node m',
  },
  {
    what: 'a start that is to come',
    change: [
      [
        'startedAt: 0\n      pods: [{ group: 0, node: n, gpus: [1]',
        'startedAt: 101\n      pods: [{ group: 0, node: n, gpus: [1]',
      ],
    ],
    line: lineOf('startedAt', 2),
    field: 'jobs[1].running.startedAt',
    words: '101 is later than now, which is 100',
    mayBeSeen: true,
  },
  {
    what: 'a history that lacks an amount',
    change: [['[0, 0, 0, 0, 0]', '[0, 0, 0, 0]']],
    line: lineOf('history:'),
    field: 'scopes[0].history',
    words: 'expected 5 amounts, found 4',
  },
  {
    what: 'a history of a time to come',
    change: [['historyAt: 100', 'historyAt: 200']],
    line: lineOf('historyAt'),
    field: 'scopes[0].historyAt',
    words: '200 is later than now, which is 100',
  },
  {
    what: 'a reservation for a job that is not there',
    change: [['job: z', 'job: nobody']],
    line: lineOf('job: z'),
    field: 'reservations[0].job',
    words: 'there is no job nobody',
  },
  {
    what: 'a reservation of a node that is not there',
    change: [['nodes: [n]', 'nodes: [n, m]']],
    line: lineOf('nodes: [n]'),
    field: 'reservations[0].nodes[1]',
    words: 'there is no node m',
  },
  {
    what: 'a reservation of the quota of a scope that is not there',
    change: [['nodes: [n]', 'nodes: []\n    scope: nowhere']],
    line: lineOf('nodes: [n]') + 1,
    field: 'reservations[0].scope',
    words: 'there is no scope nowhere',
  },
];

let folder: string;
let printed: unknown;
let context: CommandContext;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-snapshot-'));
  context = {
    ...commandContext({ json: true }, folder),
    result: (document) => {
      printed = document;
    },
  };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function decide(text: string): Promise<unknown> {
  const file = join(folder, 'world.yaml');
  await writeFile(file, text);
  await simulateSnapshot(context, file);
  return printed;
}

function changed({ change }: Case): string {
  return change.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the world does not say ${from}`);
    return text.replace(from, to);
  }, WORLD);
}

test('a state that could be is decided on', async () => {
  expect(await decide(WORLD)).toMatchObject({ decisions: [], waiting: [{ job: 'z' }] });
});

describe('a state that cannot be is one error that names file, line and field', () => {
  test.each(cases)('$what', async (given) => {
    const error: unknown = await decide(changed(given)).catch((reason: unknown) => reason);
    if (!isDelosError(error, 'ERR_CONFIG_VALUE')) throw error;
    expect(error.message).toContain(given.words);
    const { file, line, field } = error.where ?? {};
    expect({ file, line, field }).toEqual({
      file: join(folder, 'world.yaml'),
      line: given.line ?? Y_PODS,
      field: given.field,
    });
    expect(error.hint).not.toMatch(/more faults? follow/);
    // A cluster that was observed may be so, or may not be either.
    const seen = decide(`observed: true\n${changed(given)}`);
    if (given.mayBeSeen) await expect(seen).resolves.toBeDefined();
    else await expect(seen).rejects.toThrow(given.words);
  });
});
