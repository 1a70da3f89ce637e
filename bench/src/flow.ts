/**
 * Expansion of a batch flow of 100 tasks with a matrix of 10 rows each, beside apolo-flow's own: both in one process,
 * warm, reading the file anew each time, and what they give compared before anything is measured. Then how fast files
 * are read, and what 100,000 tasks take.
 *
 *   ours   text to tasks: parse, set up, check, expand, every field and every key of the cache
 *   bare   apolo-flow, text to tasks: load, set up, every field and every key of the cache; its check is left out
 */
import { join } from 'node:path';
import { type ExpandedTask, expandFlow, parseFlowFile, taskDocument, type World } from '@delos/flow';
import { AUTHORITY_WORKSPACE, type Authority, startAuthority } from '@delos/peers';
import { median, numberOption, report, say } from './measure.ts';

/** The workspace that the authority is asked in: its folder names the project. */
const ROOT = AUTHORITY_WORKSPACE;
const GIT = { sha: 'c0ffee', branch: 'main', tags: ['v1'] };
const WORLD: World = {
  place: { cluster: 'main', org: 'acme', project: 'demo', user: 'ada' },
  git: GIT,
  workspace: { root: ROOT, read: () => undefined },
};

function flow(tasks: number, rows: number): string {
  const head = `kind: batch
title: Benchmark
params: {lr: "0.1"}
volumes:
  data: {remote: "storage:data", mount: /data, read_only: true}
  code: {remote: "storage:code", mount: /code}
images:
  base: {ref: "image:base:v1"}
defaults:
  env: {PYTHONPATH: /code}
  tags: [bench]
  preset: cpu-small
tasks:
`;
  const task = (index: number): string => `  - id: task_${index}_\${{ matrix.x }}
    image: \${{ images.base.ref }}
    needs: []
    strategy:
      matrix:
        x: [${Array.from({ length: rows }, (_, row) => `r${row}`).join(', ')}]
    volumes:
      - \${{ volumes.data.ref }}
      - \${{ volumes.code.ref_rw }}
    env:
      NAME: \${{ upper(matrix.x) }}
      RATE: \${{ params.lr }}
    bash: |
      python train.py --task ${index} --row \${{ matrix.ORDINAL }} --lr \${{ params.lr }} --title "\${{ flow.title }}"
`;
  return head + Array.from({ length: tasks }, (_, index) => task(index)).join('');
}

function expand(text: string): readonly ExpandedTask[] {
  const { tasks, ok, diagnostics } = expandFlow(parseFlowFile(join(ROOT, 'flow'), text, 'flow'), 'flow', WORLD);
  if (!ok) throw new Error(`the benchmark's flow is refused: ${diagnostics[0]?.message}`);
  return tasks;
}

interface TheirRun {
  readonly seconds: readonly number[];
  readonly tasks: readonly {
    readonly id: string;
    readonly fields: Readonly<Record<string, unknown>>;
    readonly cache_key?: string;
  }[];
}

/** @throws Error where a task is not the same on both sides */
function compare(ours: readonly ExpandedTask[], theirs: TheirRun['tasks']): void {
  const byId = new Map(ours.map((task) => [task.id, taskDocument(task)]));
  if (byId.size !== theirs.length) throw new Error(`${byId.size} tasks here, ${theirs.length} there`);
  for (const { id, fields, cache_key } of theirs) {
    const our = byId.get(id);
    for (const name of ['image', 'cmd', 'volumes', 'preset', 'env']) {
      if (JSON.stringify(our?.[name]) !== JSON.stringify(fields[name])) throw new Error(`${id}: ${name} differs`);
    }
    if (our?.cache_key !== cache_key) throw new Error(`${id}: the keys of the cache differ`);
  }
}

function timed(run: () => void, times: number): readonly number[] {
  return Array.from({ length: times }, () => {
    const begun = performance.now();
    run();
    return (performance.now() - begun) / 1000;
  });
}

interface Pair {
  readonly ours: number;
  readonly bare: number;
}

/** One after the other, so that what else the machine does weighs on both. Ours is the median of several runs. */
async function beside(authority: Authority, times: number): Promise<readonly Pair[]> {
  const text = flow(100, 10);
  const question = { files: { flow: text }, path: 'flow', times: 1 };
  const first = await authority.ask<TheirRun>('bench', question);
  compare(expand(text), first.tasks);
  say('both give the same 1000 tasks');
  timed(() => expand(text), 20);
  const pairs: Pair[] = [];
  for (let sample = 0; sample < times; sample += 1) {
    const { seconds } = await authority.ask<TheirRun>('bench', question);
    pairs.push({ ours: median(timed(() => expand(text), 9)), bare: median(seconds) });
  }
  return pairs;
}

const samples = numberOption('--samples', 5);
const authority = await startAuthority();
const pairs = await beside(authority, samples).finally(() => {
  void authority.close();
});
const ours = pairs.map((pair) => pair.ours);
const bare = pairs.map((pair) => pair.bare);
const text = flow(1000, 1);
const parse = median(timed(() => void parseFlowFile('flow', text, 'flow'), 30));
say('100,000 tasks …');
const large = flow(400, 250);
const begun = performance.now();
const count = expand(large).length;
const largeSeconds = (performance.now() - begun) / 1000;
// Of the whole process, from its start.
const memory = process.resourceUsage().maxRSS / 1024;
const ratio = median(pairs.map((pair) => pair.bare / pair.ours));
report(
  {
    name: 'flow',
    ratio: Math.round(ratio * 100) / 100,
    ours,
    bare,
    parseMegabytesPerSecond: text.length / 1e6 / parse,
    large: { tasks: count, seconds: largeSeconds, mebibytes: memory },
  },
  [
    `1000 tasks: ${(median(ours) * 1000).toFixed(0)} ms, apolo-flow ${(median(bare) * 1000).toFixed(0)} ms: ${ratio.toFixed(0)} times`,
    `files: ${(text.length / 1e6 / parse).toFixed(1)} MB/s`,
    `${count} tasks: ${largeSeconds.toFixed(1)} s, at most ${memory.toFixed(0)} MiB in all`,
  ].join('\n'),
);
