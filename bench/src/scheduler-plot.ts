/** What one event costs at one size. */
export interface Cost {
  readonly nodes: number;
  readonly queued: number;
  /** Median by kind of event, in microseconds. */
  readonly us: Readonly<Record<string, number>>;
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [720, 320, 64, 32, 12, 210];
const COLOURS = ['#2a6fb0', '#d1742c', '#3a9a5b', '#a24b9c'];
const DASHES = ['2 3', '7 4', 'none'];
const STYLE =
  '<style>text{font:11px system-ui,sans-serif;fill:#777}path{fill:none;stroke-width:1.5}.grid{stroke:#ccc}</style>';

/** Costs of events over the number of queued jobs, both axes logarithmic: colours are events, dashes numbers of nodes. */
export function costPlot(costs: readonly Cost[]): string {
  const kinds = [...new Set(costs.flatMap(({ us }) => Object.keys(us)))];
  const sizes = [...new Set(costs.map(({ nodes }) => nodes))].sort((a, b) => a - b);
  const queued = costs.map((each) => Math.log10(each.queued));
  const values = costs.flatMap(({ us }) => Object.values(us)).map((value) => Math.log10(Math.max(0.1, value)));
  const [left, right] = [Math.min(...queued), Math.max(...queued)];
  const [low, high] = [Math.floor(Math.min(...values)), Math.ceil(Math.max(...values))];
  const x = (log: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * (log - left)) / Math.max(1, right - left);
  const y = (log: number): number => TOP + ((HEIGHT - TOP - BOTTOM) * (high - log)) / Math.max(1, high - low);
  const rows = steps(low, high).map(
    (log) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(log)}" y2="${y(log)}"/><text x="${LEFT - 6}" y="${y(log) + 4}" text-anchor="end">${10 ** log} µs</text>`,
  );
  const columns = steps(left, right).map(
    (log) => `<text x="${x(log)}" y="${HEIGHT - 10}" text-anchor="middle">${(10 ** log).toLocaleString('en')}</text>`,
  );
  const paths = kinds.flatMap((kind, k) =>
    sizes.map((nodes, n) => {
      const points = costs
        .filter((each) => each.nodes === nodes && each.us[kind] !== undefined)
        .map(
          (each) =>
            `${x(Math.log10(each.queued)).toFixed(1)},${y(Math.log10(Math.max(0.1, each.us[kind] ?? 0))).toFixed(1)}`,
        );
      return `<path d="M${points.join('L')}" stroke="${COLOURS[k % 4]}" stroke-dasharray="${DASHES[n % 3]}"/>`;
    }),
  );
  const entry = (row: number, stroke: string, dash: string, text: string): string =>
    `<path d="M${WIDTH - RIGHT + 16},${TOP + 8 + 18 * row}h26" stroke="${stroke}" stroke-dasharray="${dash}"/><text x="${WIDTH - RIGHT + 50}" y="${TOP + 12 + 18 * row}">${text}</text>`;
  const legend = [
    ...kinds.map((kind, k) => entry(k, COLOURS[k % 4] ?? '', 'none', kind)),
    ...sizes.map((nodes, n) => entry(kinds.length + n, '#777', DASHES[n % 3] ?? '', `${nodes} nodes`)),
  ];
  const title = 'Median cost of one event by queued jobs';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img"><title>${title}</title>${STYLE}${[...rows, ...columns, ...paths, ...legend].join('')}</svg>\n`;
}

function steps(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.round(to - from) + 1 }, (_, n) => from + n);
}
