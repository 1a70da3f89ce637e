import type { ExpandedTask } from '../expanded-task.ts';
import { isFrame, labelOf, nesting } from './draw-nesting.ts';

const BOX = { width: 160, height: 44, across: 24, down: 48 };
/** Of a frame: room for its label above, and around what it holds. */
const HEAD = 28;
const MARGIN = 16;

interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}
interface Placed extends Rect {
  readonly task: ExpandedTask;
  /** The frame that it stands in. */
  readonly frame: string;
}
interface Layout {
  readonly width: number;
  readonly height: number;
  /** Frames before what they hold. */
  readonly boxes: readonly Placed[];
}

/** Tasks as boxes, in rows by the longest way from a start; a call of an action is a box around its tasks. */
export function svg(tasks: readonly ExpandedTask[]): string {
  const { width, height, boxes } = layout(nesting(tasks), '');
  const places = new Map(boxes.map((box) => [box.task.id, box]));
  const lines = tasks.flatMap((task) =>
    Object.entries(task.needs).flatMap(([need, level]) => {
      const [from, to] = [places.get(need), places.get(task.id)];
      return from === undefined || to === undefined ? [] : [arrow(from, to, level === 'running')];
    }),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width + 2 * MARGIN}" height="${height + 2 * MARGIN}" font-family="sans-serif" font-size="12">`,
    '<defs><marker id="end" markerWidth="8" markerHeight="8" refX="8" refY="4" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
    `<g transform="translate(${MARGIN} ${MARGIN})">`,
    ...boxes.map(drawn),
    ...lines,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

/** Boxes of the tasks of one frame, from its corner. */
function layout(within: ReadonlyMap<string, readonly ExpandedTask[]>, frame: string): Layout {
  const members = within.get(frame) ?? [];
  const depth = depths(members);
  const rows = Map.groupBy(members, ({ id }) => depth.get(id) ?? 0);
  const boxes: Placed[] = [];
  let width = 0;
  let y = 0;
  for (let row = 0; row < rows.size; row += 1) {
    let x = 0;
    let tallest = 0;
    for (const task of rows.get(row) ?? []) {
      const inner = isFrame(task) ? layout(within, task.id) : undefined;
      const size =
        inner === undefined
          ? BOX
          : {
              width: Math.max(BOX.width, inner.width + 2 * MARGIN),
              height: inner.boxes.length === 0 ? BOX.height : inner.height + HEAD + MARGIN,
            };
      boxes.push({ task, frame, x, y, width: size.width, height: size.height });
      for (const box of inner?.boxes ?? []) boxes.push({ ...box, x: box.x + x + MARGIN, y: box.y + y + HEAD });
      x += size.width + BOX.across;
      tallest = Math.max(tallest, size.height);
    }
    width = Math.max(width, x - BOX.across);
    y += tallest + BOX.down;
  }
  return { width, height: Math.max(0, y - BOX.down), boxes };
}

/** The longest way to each from one that needs no other of them. */
function depths(members: readonly ExpandedTask[]): ReadonlyMap<string, number> {
  const byId = new Map(members.map((task) => [task.id, task]));
  const found = new Map<string, number>();
  for (const start of members) {
    const stack = [start];
    for (let task = stack.at(-1); task !== undefined; task = stack.at(-1)) {
      const needs = Object.keys(task.needs).filter((id) => byId.has(id));
      const missing = needs.filter((id) => !found.has(id));
      // Needs in a circle have been refused; this bound keeps a drawing of them finite all the same.
      if (missing.length > 0 && stack.length <= members.length)
        stack.push(...missing.map((id) => byId.get(id) as ExpandedTask));
      else {
        found.set(task.id, Math.max(-1, ...needs.map((id) => found.get(id) ?? 0)) + 1);
        stack.pop();
      }
    }
  }
  return found;
}

function arrow(from: Rect, to: Rect, dashed: boolean): string {
  const points = `x1="${from.x + from.width / 2}" y1="${from.y + from.height}" x2="${to.x + to.width / 2}" y2="${to.y}"`;
  return `<line ${points} stroke="#555"${dashed ? ' stroke-dasharray="4 3"' : ''} marker-end="url(#end)"/>`;
}

function drawn({ task, frame: parent, x, y, width, height }: Placed): string {
  const lines = labelOf(task, parent);
  const frame = isFrame(task);
  const first = frame ? y + 18 : y + height / 2 + (lines.length === 1 ? 4 : -4);
  const at = frame ? `x="${x + 10}"` : `x="${x + width / 2}" text-anchor="middle"`;
  const words = frame
    ? `<text ${at} y="${first}">${escaped(lines.join(' '))}</text>`
    : lines.map((line, index) => `<text ${at} y="${first + 16 * index}">${escaped(line)}</text>`).join('');
  const rect = `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="4" fill="${frame ? '#eef' : '#fff'}" stroke="#333"/>`;
  return `<g><title>${escaped(task.id)}</title>${rect}${words}</g>`;
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
