import { createRequire } from 'node:module';
import type { Solver } from '@delos/placement';
import type * as highs from 'highs';
import { z } from 'zod';

const pricedRows = z.array(z.looseObject({ Name: z.string(), Dual: z.number().optional() }));

/**
 * Prices of a linear program's rows by HiGHS (Q. Huangfu and J. A. J. Hall, 2018). Upper limits of columns are left
 * out: rows imply them, and the simplex method is ten times as fast without.
 */
export async function linearSolver(): Promise<Solver> {
  // Its declarations are of an ES module, but count as CommonJS to the compiler: hence the second `default`.
  const load = createRequire(import.meta.url)('highs') as typeof highs.default.default;
  const solver = await load();
  return ({ columns, rows }) => {
    const terms = rows.map((): string[] => []);
    columns.forEach(({ entries }, column) => {
      for (const [row, coefficient] of entries) terms[row]?.push(term(coefficient, column));
    });
    const problem = [
      'Maximize',
      `gain: ${columns.flatMap(({ gain }, column) => (gain === 0 ? [] : [term(gain, column)])).join('\n')}`,
      'Subject To',
      ...rows.flatMap(({ limit, equal }, row) => {
        const left = terms[row] ?? [];
        return left.length === 0 ? [] : [`r${row}: ${left.join('\n')} ${equal ? '=' : '<='} ${limit}`];
      }),
      'End',
    ].join('\n');
    const prices = new Array<number>(rows.length).fill(0);
    // Without an optimum there are no prices: zeros prove a bound as well, only a useless one.
    for (const { Name, Dual } of pricedRows.parse(solver.solve(problem, { output_flag: false }).Rows)) {
      prices[Number(Name.slice(1))] = Dual ?? 0;
    }
    return prices;
  };
}

function term(coefficient: number, column: number): string {
  return `${coefficient < 0 ? '-' : '+'} ${Math.abs(coefficient)} x${column}`;
}
