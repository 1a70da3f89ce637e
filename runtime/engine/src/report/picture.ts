import { hasEnded, type Nesting, type TimedTask } from './timed-task.ts';

/** More would make a picture that nothing shows well. */
export const MOST_DRAWN = 5_000;

export interface PictureOptions {
  readonly title: string;
  /** Ids on the critical path. */
  readonly critical: ReadonlySet<string>;
  /** What has not ended is drawn up to here. Milliseconds since 1970. */
  readonly now: number;
}

const ROW = 22;
const NAMES = 260;
const BARS = 640;
const ENDS = 110;
const HEAD = 64;
const LONGEST = 34;
const COLORS: Readonly<Record<string, string>> = {
  succeeded: '#2e7d32',
  cached: '#00838f',
  failed: '#c62828',
  cancelled: '#6d4c41',
  running: '#1565c0',
  pending: '#90a4ae',
  skipped: '#bdbdbd',
  unknown: '#90a4ae',
};

/**
 * A bake over time, as SVG 1.1: a row for each task, tasks of a call below it, waiting light and running dark, the critical
 * path framed. The same for the same tasks, to the byte.
 */
export function bakePicture(nesting: Nesting<TimedTask>, { title, critical, now }: PictureOptions): string {
  const rows = rowsOf(nesting);
  const first = Math.min(...rows.map(({ task }) => task.begun ?? Number.POSITIVE_INFINITY));
  const from = Number.isFinite(first) ? first : now;
  const last = rows.reduce((most, { task }) => Math.max(most, endOf(task, now) ?? from), from);
  const span = Math.max(1, last - from);
  const x = (at: number): number => round(NAMES + (BARS * (Math.min(Math.max(at, from), last) - from)) / span);
  const height = HEAD + rows.length * ROW + 16;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const at = round(NAMES + BARS * part);
    const line = `<line x1="${at}" y1="${HEAD - 8}" x2="${at}" y2="${height - 12}" stroke="#e0e0e0"/>`;
    return `${line}<text x="${at}" y="${HEAD - 14}" text-anchor="middle" fill="#555">${duration(span * part)}</text>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" width="${NAMES + BARS + ENDS}" height="${height}" font-family="sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<text x="12" y="24" font-size="15" font-weight="bold">${xml(title)}</text>`,
    ...ticks,
    ...rows.map((row, index) => drawn(row, HEAD + index * ROW)),
    '</svg>',
    '',
  ].join('\n');

  function drawn({ task, depth, call }: Row, y: number): string {
    const { id, status, begun, running } = task;
    const own = depth === 0 ? id : id.slice((nesting.callOf(id)?.length ?? -1) + 1);
    const on = critical.has(id);
    const end = endOf(task, now);
    const took = begun === null || end === null ? '' : duration(end - begun);
    const color = COLORS[status ?? 'unknown'] ?? '#90a4ae';
    const label = `<text x="${round(12 + 14 * Math.min(depth, 8))}" y="${y + 15}"${on ? ' font-weight="bold"' : ''}>${xml(short(own))}</text>`;
    const told = `<title>${xml(`${id}: ${status ?? 'not begun'}${took === '' ? '' : `, ${took}`}${on ? ', on the critical path' : ''}`)}</title>`;
    const bars: string[] = [];
    if (begun !== null && end !== null) {
      const ran = running ?? (hasEnded(task) && status !== 'skipped' ? end : null);
      const box = (left: number, right: number, more: string): string =>
        `<rect x="${left}" y="${y + (call ? 8 : 4)}" width="${round(Math.max(1, right - left))}" height="${call ? 6 : 14}" ${more}/>`;
      bars.push(box(x(begun), x(end), `fill="${color}" fill-opacity="0.3"`));
      if (ran !== null) bars.push(box(x(ran), x(end), `fill="${color}"`));
      if (on) bars.push(box(x(begun), x(end), 'fill="none" stroke="#d50000" stroke-width="2"'));
      bars.push(`<text x="${round(x(end) + 6)}" y="${y + 15}" fill="#333">${xml(took)}</text>`);
    }
    return `<g class="task">${told}${label}${bars.join('')}</g>`;
  }
}

interface Row {
  readonly task: TimedTask;
  readonly depth: number;
  readonly call: boolean;
}

/** As they began; those in a call below it. */
function rowsOf(nesting: Nesting<TimedTask>): readonly Row[] {
  const rows: Row[] = [];
  const stack: { readonly task: TimedTask; readonly depth: number }[] = ordered(nesting, '', 0);
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { task, depth } = next;
    const call = nesting.isCall(task.id);
    rows.push({ task, depth, call });
    if (call) stack.push(...ordered(nesting, task.id, depth + 1));
  }
  return rows;
}

/** The first one last: it is taken from there. */
function ordered(nesting: Nesting<TimedTask>, call: string, depth: number) {
  const at = ({ begun }: TimedTask): number => begun ?? Number.MAX_VALUE;
  return [...(nesting.within.get(call) ?? [])]
    .sort((a, b) => at(b) - at(a) || (a.id < b.id ? 1 : -1))
    .map((task) => ({ task, depth }));
}

const endOf = ({ begun, ended }: TimedTask, now: number): number | null =>
  begun === null ? null : Math.max(begun, ended ?? now);

const round = (value: number): number => Math.round(value * 10) / 10;

/** `1h 5m`, `3m 20s`, `4.2s`. @param ms milliseconds */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 60) return `${Math.round(seconds * 10) / 10}s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}h ${minutes}m` : `${minutes}m ${whole % 60}s`;
}

const short = (text: string): string => {
  const letters = [...text];
  return letters.length <= LONGEST ? text : `${letters.slice(0, LONGEST - 1).join('')}…`;
};

/** Text of XML 1.0: what it has no letter for is shown as a replacement. */
const xml = (text: string): string =>
  text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
