import type { Point } from './metrics.ts';

export interface Line {
  readonly name: string;
  readonly points: readonly Point[];
}

const [WIDTH, PLOT, LEFT, BOTTOM, TOP] = [720, 168, 48, 24, 8];
/** Of a row of the legend, and of one letter in it at the most, in units of the picture. */
const [ROW, LETTER] = [18, 7];
const COLOURS = ['#2a6fb0', '#d1742c', '#3a9a5b', '#a24b9c', '#8a7a2b', '#c03f4d', '#4a9aa8', '#666666'];
/** More steps than this are averaged: a chart has no more pixels. */
const STEPS = 360;

/** In the picture itself, so that it can be taken out of the page. */
const STYLE =
  '<style>text{font:11px system-ui,sans-serif;fill:#777}path{fill:none;stroke-width:1.5}.grid{stroke:#ccc}</style>';

/** Values that hold until the next point, as a line chart in inline SVG. `until` ends the axis of time, in ms. */
export function chart(title: string, lines: readonly Line[], until: number, percent: boolean): string {
  const steps = lines.map(({ name, points }) => ({ name, values: averages(points, until) }));
  const top = percent ? 1 : Math.max(1, ...steps.flatMap(({ values }) => values));
  const legend = legendOf(lines.map(({ name }) => name));
  const from = TOP + ROW * legend.rows;
  const height = from + PLOT + BOTTOM;
  const x = (step: number): number => LEFT + ((WIDTH - LEFT) * step) / STEPS;
  const y = (value: number): number => from + PLOT * (1 - value / top);
  const grid = [0, 0.5, 1].map((part) => {
    const label = percent ? `${part * 100} %` : String(Math.round(part * top));
    return `<line x1="${LEFT}" x2="${WIDTH}" y1="${y(part * top)}" y2="${y(part * top)}" class="grid"/><text x="${LEFT - 6}" y="${y(part * top) + 4}" text-anchor="end">${label}</text>`;
  });
  const times = [0, 0.5, 1].map(
    (part) =>
      `<text x="${x(part * STEPS)}" y="${height - 6}" text-anchor="${part === 0 ? 'start' : part === 1 ? 'end' : 'middle'}">${duration(part * until)}</text>`,
  );
  const paths = steps.map(({ values }, n) => {
    const path = values.map((value, step) => `${step === 0 ? 'M' : 'L'}${x(step).toFixed(1)},${y(value).toFixed(1)}`);
    return `<path d="${path.join('')}" stroke="${colour(n)}"/>`;
  });
  const parts = [`<title>${escaped(title)}</title>`, STYLE, ...legend.parts, ...grid, ...times, ...paths];
  return `<figure><figcaption>${escaped(title)}</figcaption><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">${parts.join('')}</svg></figure>`;
}

/** Which colour is whose, in as many rows as that takes. */
function legendOf(names: readonly string[]): { readonly parts: readonly string[]; readonly rows: number } {
  let [x, row] = [LEFT, 0];
  const parts = names.map((name, n) => {
    const width = 22 + LETTER * name.length;
    if (x > LEFT && x + width > WIDTH) [x, row] = [LEFT, row + 1];
    const [left, middle] = [x, TOP + ROW * row + 5];
    x += width;
    return `<rect x="${left}" y="${middle - 5}" width="10" height="10" fill="${colour(n)}"/><text x="${left + 14}" y="${middle + 4}">${escaped(name)}</text>`;
  });
  return { parts, rows: names.length === 0 ? 0 : row + 1 };
}

function averages(points: readonly Point[], until: number): readonly number[] {
  const values: number[] = [];
  let next = 0;
  let value = 0;
  for (let step = 0; step < STEPS; step += 1) {
    const [from, to] = [(step * until) / STEPS, ((step + 1) * until) / STEPS];
    let sum = 0;
    let at = from;
    for (let point = points[next]; point !== undefined && point.at < to; point = points[next]) {
      sum += value * Math.max(0, point.at - at);
      at = Math.max(at, point.at);
      value = point.value;
      next += 1;
    }
    sum += value * (to - at);
    values.push(to > from ? sum / (to - from) : value);
  }
  return values;
}

function colour(n: number): string {
  return COLOURS[n % COLOURS.length] ?? '#666666';
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** In the largest unit that gives a number of one or more. */
export function duration(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1000],
  ] as const;
  const [unit, size] = units.find(([, each]) => ms >= each) ?? (['s', 1000] as const);
  return `${Number((ms / size).toFixed(1))} ${unit}`;
}
