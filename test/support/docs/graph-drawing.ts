import { instance } from '@viz-js/viz';
import { z } from 'zod';

/** Graphviz, from its WebAssembly build: the same source gives the same bytes on every machine. */
const viz = await instance();

/** The picture of a graph as SVG with a title for who cannot see it, without the name of the program's release. */
export function svgOf(dot: string, title: string): string {
  return viz
    .renderString(dot, { format: 'svg' })
    .replace(/^[\s\S]*?(?=<svg )/, '')
    .replace(/<svg [^>]*>/, (svg) => `${svg}\n<title>${title}</title>`)
    .replaceAll(/<!--[\s\S]*?-->\n?/g, '')
    .replaceAll(/font-family="Helvetica[^"]*"/g, 'font-family="Helvetica, Arial, sans-serif"');
}

/** In points; y grows upwards. */
export interface Box {
  readonly what: string;
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
  readonly top: number;
}

export interface Layout {
  readonly nodes: readonly Box[];
  /** Every line of text that belongs to no node: of edges and of groups. */
  readonly labels: readonly Box[];
  /** Both ends of each line, with the node at which it should be. */
  readonly ends: readonly { readonly edge: string; readonly x: number; readonly y: number; readonly node: Box }[];
}

const point = z.tuple([z.number(), z.number()]);
const drawing = z.looseObject({
  op: z.string(),
  points: z.array(point).optional(),
  pt: point.optional(),
  width: z.number().optional(),
  align: z.string().optional(),
  size: z.number().optional(),
  text: z.string().optional(),
});
const graph = z.looseObject({
  objects: z.array(
    z.looseObject({
      name: z.string(),
      pos: z.string().optional(),
      width: z.string().optional(),
      height: z.string().optional(),
      _ldraw_: z.array(drawing).default([]),
    }),
  ),
  edges: z.array(
    z.looseObject({
      tail: z.number(),
      head: z.number(),
      _draw_: z.array(drawing),
      _ldraw_: z.array(drawing).default([]),
    }),
  ),
});

/** Where Graphviz places what it draws. */
export function layoutOf(dot: string): Layout {
  const { objects, edges } = graph.parse(viz.renderJSON(dot));
  const boxes = objects.map(({ name, pos, width, height }): Box | undefined => {
    const [x = 0, y = 0] = (pos ?? '').split(',').map(Number);
    const [half, up] = [Number(width) * 36, Number(height) * 36];
    return pos === undefined ? undefined : { what: name, left: x - half, right: x + half, bottom: y - up, top: y + up };
  });
  const groups = objects.filter(({ pos }) => pos === undefined);
  return {
    nodes: boxes.filter((box) => box !== undefined),
    labels: [...groups, ...edges].flatMap(({ _ldraw_ }) => textBoxes(_ldraw_)),
    ends: edges.flatMap(({ tail, head, _draw_ }) => {
      const points = _draw_.flatMap(({ op, points = [] }) => (op === 'b' ? points : []));
      const [from, to] = [boxes[tail], boxes[head]];
      const [first, last] = [points[0], points.at(-1)];
      if (from === undefined || to === undefined || first === undefined || last === undefined) return [];
      const edge = `${from.what} → ${to.what}`;
      return [
        { edge, x: first[0], y: first[1], node: from },
        { edge, x: last[0], y: last[1], node: to },
      ];
    }),
  };
}

function textBoxes(drawings: readonly z.infer<typeof drawing>[]): readonly Box[] {
  let size = 0;
  const boxes: Box[] = [];
  for (const { op, pt, width = 0, align = 'c', size: fresh, text = '' } of drawings) {
    if (op === 'F') size = fresh ?? size;
    if (op !== 'T' || pt === undefined) continue;
    const [x, y] = pt;
    const left = x - { l: 0, c: width / 2, r: width }[align as 'l' | 'c' | 'r'];
    // `y` is the base line.
    boxes.push({ what: text.trim(), left, right: left + width, bottom: y - size * 0.25, top: y + size * 0.75 });
  }
  return boxes;
}

export function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.bottom < b.top && b.bottom < a.top;
}
