import { Bake } from '@delos/engine';
import { expandFlow, parseFlowFile, type World } from '@delos/flow';

const ROWS = 250;
const HOME = { place: { cluster: 'main', org: 'acme', project: 'demo', user: 'ada' }, project: 'demo' };
const WORLD: World = { place: HOME.place, workspace: { root: '/w', read: () => undefined } };
const MIB = 2 ** 20;

export interface Simulated {
  readonly tasks: number;
  /** Milliseconds of processor time for each task, its expansion included. */
  readonly msPerTask: number;
  /** Most of the heap that was taken. */
  readonly mebibytes: number;
}

/** Waves of rows; each needs all rows of the wave before, and is given an output of one of them. */
function waves(count: number): string {
  const tasks = Array.from({ length: count }, (_, wave) => {
    const given = wave === 0 ? 'none' : `\${{ needs.w${wave - 1}r7.outputs.x }}`;
    const matrix = `strategy: {matrix: {x: "\${{ range(${ROWS}) }}"}, max_parallel: 100}`;
    return `  - {id: "w${wave}r\${{ matrix.x }}", image: u, cmd: "run \${{ matrix.x }} ${given}", ${matrix}}\n`;
  });
  return `kind: batch\ntasks:\n${tasks.join('')}`;
}

/** Carries a bake out of which every job succeeds at once; a millisecond passes with each turn. @throws Error where it does not succeed */
export function simulate(tasks: number): Simulated {
  globalThis.gc?.();
  const memory = process.memoryUsage().heapUsed;
  const before = process.cpuUsage();
  const expanded = expandFlow(parseFlowFile('/w/.apolo/main.yml', waves(tasks / ROWS), 'flow'), 'main', WORLD).tasks;
  const runs = expanded.flatMap((task) => (task.run === undefined ? [] : [{ ...task, run: task.run }]));
  const bake = new Bake(runs, { attempt: 'attempt-1', home: HOME });
  let made = 0;
  let most = 0;
  let result: string | undefined;
  for (let now = 1; result === undefined; now += 1) {
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
        bake.tell({ kind: 'log', task, jobId: act.jobId, outputs: { x: `of ${task}` }, state: {} }, now);
      }
    }
    if (now % 50 === 0) most = Math.max(most, process.memoryUsage().heapUsed - memory);
  }
  if (result !== 'succeeded' || made !== tasks) throw new Error(`${result}, ${made} jobs for ${tasks} tasks`);
  const { user, system } = process.cpuUsage(before);
  return { tasks, msPerTask: (user + system) / 1000 / tasks, mebibytes: most / MIB };
}
