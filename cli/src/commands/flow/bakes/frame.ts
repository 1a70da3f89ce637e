import { type BakeReport, isFlowEnd, type ReportedTask } from '@delos/core';

const MARKS: Readonly<Record<string, string>> = {
  succeeded: '✔',
  cached: '≡',
  failed: '✘',
  cancelled: '■',
  skipped: '–',
  running: '▶',
  pending: '…',
  unknown: '?',
};
const isOpen = ({ status }: ReportedTask): boolean => status === null || !isFlowEnd(status);

/** One line: what a bake is and how far. */
export function headline(report: BakeReport): string {
  const leaves = report.tasks.filter(({ call }) => !call);
  const ended = leaves.filter((task) => !isOpen(task)).length;
  const name = report.name === null ? report.id : `${report.name} (${report.id})`;
  return `${name}, attempt ${report.number}: ${report.result}, ${ended} of ${leaves.length} tasks, ${seconds(report.seconds)}`;
}

/**
 * A bake as lines for a terminal: the tasks in order, those in a call below it. Where there are too many, those that have
 * ended well and those that have not begun give way.
 * @param rows how many lines there may be
 */
export function frame(
  report: BakeReport,
  { columns, rows }: { readonly columns: number; readonly rows: number },
): string[] {
  const space = Math.max(1, rows - 2);
  const { tasks } = report;
  const weight = (task: ReportedTask): number =>
    task.status === 'failed'
      ? 0
      : task.status === 'running'
        ? 1
        : task.status === 'pending'
          ? 2
          : task.status === null
            ? 3
            : 4;
  const shown = new Set(
    tasks.length <= space
      ? tasks
      : tasks
          .map((task, index) => ({ task, index }))
          .sort((a, b) => weight(a.task) - weight(b.task) || a.index - b.index)
          .slice(0, Math.max(0, space - 1))
          .map(({ task }) => task),
  );
  const left = tasks.length - shown.size;
  const lines = [
    headline(report),
    ...nested(tasks)
      .filter(({ task }) => shown.has(task))
      .map(lineOf),
  ];
  if (left > 0) lines.push(`  and ${left} more`);
  return lines.map((line) => clipped(line, columns));
}

/** The whole bake, whatever its size. */
export const allOf = (report: BakeReport): string[] =>
  [headline(report), ...nested(report.tasks).map(lineOf), ...report.images.map(imageLine)].map(plain);

const imageLine = ({ ref, status, job }: BakeReport['images'][number]): string =>
  `  image ${ref}  ${status}${job === null ? '' : ` by ${job}`}`;

const lineOf = ({ task, depth }: Nested): string => {
  const needs = task.needs.length === 0 || task.status !== null ? '' : `waits for ${task.needs.join(', ')}`;
  const why = task.status === 'failed' && task.reason !== null ? `: ${task.reason}` : '';
  const took = tookOf(task);
  const told = [`${task.status ?? needs}${why}`, took, task.critical ? 'critical' : ''].filter((part) => part !== '');
  return `  ${'  '.repeat(depth)}${MARKS[task.status ?? ''] ?? ' '} ${task.id}  ${told.join(', ')}`;
};

const tookOf = ({ begun_at: begun, ended_at: ended }: ReportedTask): string =>
  begun === null || ended === null ? '' : seconds((Date.parse(ended) - Date.parse(begun)) / 1000);

/** Seconds, as a person reads them. */
export function seconds(value: number): string {
  if (value < 60) return `${Math.round(value * 10) / 10} s`;
  const whole = Math.round(value);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}

interface Nested {
  readonly task: ReportedTask;
  readonly depth: number;
}

/** Each after what it needs is how the platform tells them; those in a call come right below it. */
function nested(tasks: readonly ReportedTask[]): readonly Nested[] {
  const calls = new Set(tasks.filter(({ call }) => call).map(({ id }) => id));
  const within = Map.groupBy(tasks, ({ id }) => {
    for (let end = id.lastIndexOf('.'); end > 0; end = id.lastIndexOf('.', end - 1)) {
      if (calls.has(id.slice(0, end))) return id.slice(0, end);
    }
    return '';
  });
  const all: Nested[] = [];
  const stack = [...(within.get('') ?? [])].reverse().map((task) => ({ task, depth: 0 }));
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    all.push(next);
    const depth = next.depth + 1;
    if (next.task.call) stack.push(...[...(within.get(next.task.id) ?? [])].reverse().map((task) => ({ task, depth })));
  }
  return all;
}

/** Without what moves the cursor: ids come from files. */
const plain = (line: string): string => line.replace(/[\p{Cc}\p{Cf}]/gu, '?');

const clipped = (line: string, columns: number): string =>
  [...plain(line)].slice(0, Math.max(20, columns - 1)).join('');

/** What has changed from one report to the next, a line each. */
export function changes(before: BakeReport | undefined, after: BakeReport): string[] {
  const known = new Map(before?.tasks.map((task) => [task.id, task.status]));
  const images = new Map(before?.images.map(({ ref, status }) => [ref, status]));
  const built = after.images.filter(({ ref, status }) => status !== 'pending' && images.get(ref) !== status);
  const tasks = after.tasks
    .filter((task) => task.status !== null && task.status !== (known.get(task.id) ?? null))
    .map((task) => {
      const took = isOpen(task) ? '' : tookOf(task);
      const why = task.status === 'failed' && task.reason !== null ? `: ${task.reason}` : '';
      const job = task.job === null || task.status === 'cached' ? '' : ` (${task.job})`;
      return plain(`${task.id}${job} ${task.status}${took === '' ? '' : ` after ${took}`}${why}`);
    });
  return [...built.map((image) => plain(imageLine(image).trim())), ...tasks];
}
