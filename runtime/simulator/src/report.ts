import { chart, duration, escaped } from './chart.ts';
import type { Metrics } from './metrics.ts';
import type { SimulationResult } from './simulate.ts';

/** What is told of each simulation, a row each: its name and its value in words. */
const ROWS: readonly (readonly [name: string, value: (metrics: Metrics) => string])[] = [
  ['jobs', ({ jobs }) => String(jobs)],
  ['ended', ({ ended }) => String(ended)],
  ['given up', ({ expired }) => String(expired)],
  ['unfinished', ({ unfinished }) => String(unfinished)],
  ['makespan', ({ makespanMs }) => duration(makespanMs)],
  ['waiting time, mean', ({ waitMs }) => duration(waitMs.mean)],
  ['waiting time, p95', ({ waitMs }) => duration(waitMs.p95)],
  ['bounded slowdown, mean', ({ boundedSlowdown }) => boundedSlowdown.mean.toFixed(2)],
  ['bounded slowdown, p95', ({ boundedSlowdown }) => boundedSlowdown.p95.toFixed(2)],
  ['GPU utilization', ({ utilization }) => percent(utilization.gpu)],
  ['CPU utilization', ({ utilization }) => percent(utilization.cpu)],
  ["fairness (Jain's index)", ({ jain }) => jain?.toFixed(3) ?? '–'],
  ['preemptions', ({ preemptions }) => String(preemptions)],
];

/** One column a simulation: the first cell of each row is what it tells. */
export function comparison(results: readonly SimulationResult[]): {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
} {
  return {
    head: ['', ...results.map(({ title }) => title)],
    rows: ROWS.map(([name, value]) => [name, ...results.map(({ metrics }) => value(metrics))]),
  };
}

/** One page that needs nothing else: figures, charts and the queues of each simulation. */
export function htmlReport(results: readonly SimulationResult[]): string {
  const { head, rows } = comparison(results);
  const until = Math.max(1, ...results.flatMap(({ metrics }) => metrics.series.waiting.map(({ at }) => at)));
  const sections = results.map(({ title, metrics }) => {
    const { gpu, cpu, waiting, shares } = metrics.series;
    const use = metrics.utilization.gpu === undefined ? [] : [{ name: 'GPU', points: gpu }];
    const queues = metrics.byQueue.map(({ queue, jobs, waitMs, boundedSlowdown, preemptions }) => [
      queue,
      String(jobs),
      duration(waitMs.mean),
      duration(waitMs.p95),
      boundedSlowdown.mean.toFixed(2),
      String(preemptions),
    ]);
    return [
      `<h2>${escaped(title)}</h2>`,
      chart('In use', [...use, { name: 'CPU', points: cpu }], until, true),
      chart(
        'Share of the dominant resource',
        Object.entries(shares).map(([name, points]) => ({ name, points })),
        until,
        true,
      ),
      chart('Jobs that wait', [{ name: 'jobs', points: waiting }], until, false),
      html(['queue', 'jobs', 'wait, mean', 'wait, p95', 'slowdown, mean', 'preemptions'], queues.slice(0, 200)),
    ].join('\n');
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Delos simulation</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:760px;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;margin:1rem 0}th,td{padding:.2rem .8rem .2rem 0;text-align:left;border-bottom:1px solid #ddd}
figure{margin:1rem 0}
svg{width:100%;height:auto}
</style></head><body>
<h1>Simulation</h1>
${html(head, rows)}
${sections.join('\n')}
</body></html>
`;
}

function html(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${row(head, 'th')}${rows.map((cells) => row(cells, 'td')).join('')}</table>`;
}

function percent(part: number | undefined): string {
  return part === undefined ? '–' : `${(100 * part).toFixed(1)} %`;
}
