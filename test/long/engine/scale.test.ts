import { Bake } from '@delos/engine';
import { expect, test } from 'vitest';
import { HOME, tasksOf } from '../../support/engine/plans.ts';

const ROWS = 250;
const WAVES = 40;

/** Waves of rows, each of which needs all rows of the wave before it, and is given one of their outputs. */
function waves(): string {
  const tasks = Array.from({ length: WAVES }, (_, wave) => {
    const given = wave === 0 ? 'none' : `\${{ needs.w${wave - 1}r7.outputs.x }}`;
    const cmd = `run \${{ matrix.x }} ${given}`;
    const id = `w${wave}r\${{ matrix.x }}`;
    return `  - {id: "${id}", image: u, cmd: "${cmd}", strategy: {matrix: {x: "\${{ range(${ROWS}) }}"}, max_parallel: 100}}\n`;
  });
  return `kind: batch\ntasks:\n${tasks.join('')}`;
}

test(`a bake of ${ROWS * WAVES} tasks takes at most 1 ms of processor time a task, and 256 MiB`, () => {
  globalThis.gc?.();
  const memory = process.memoryUsage().heapUsed;
  const before = process.cpuUsage();
  const tasks = tasksOf({ main: waves() });
  expect(tasks).toHaveLength(ROWS * WAVES);
  const bake = new Bake(tasks, { attempt: 'attempt-1', home: HOME });
  let now = 0;
  let made = 0;
  let most = 0;
  let result: string | undefined;
  while (result === undefined && now < 1_000_000) {
    now += 1;
    const turn = bake.turn(now);
    result = turn.result;
    for (const act of turn.acts) {
      const { task } = act;
      if (act.kind === 'look') bake.tell({ kind: 'looked', task, key: act.key, found: null }, now);
      else if (act.kind === 'submit') {
        made += 1;
        const { jobId } = act;
        bake.tell({ kind: 'job', task, jobId, status: 'running', at: now }, now);
        bake.tell({ kind: 'ended', task, jobId, status: 'succeeded', at: now }, now);
      } else if (act.kind === 'read') {
        const { jobId } = act;
        bake.tell({ kind: 'log', task, jobId, outputs: { x: `of ${task}` }, state: {} }, now);
      }
    }
    if (now % 50 === 0) most = Math.max(most, process.memoryUsage().heapUsed - memory);
  }
  const { user, system } = process.cpuUsage(before);
  expect([result, made]).toEqual(['succeeded', ROWS * WAVES]);
  const each = (user + system) / 1000 / (ROWS * WAVES);
  console.log(`${each.toFixed(3)} ms a task, ${Math.round(most / 2 ** 20)} MiB at most`);
  expect(each).toBeLessThanOrEqual(1);
  expect(most).toBeLessThanOrEqual(256 * 2 ** 20);
});
