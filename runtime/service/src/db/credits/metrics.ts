import type { CreditsRecord } from '@delos/core';
import { Gauge, type Registry } from 'prom-client';
import type { Db } from '../schema.ts';
import { creditsReport } from './report.ts';

/** As many organizations are told of; who is beyond is not. */
const MOST = 500;
const FRESH_MS = 1_000;

/**
 * Tells what organizations have left. Projects are not told of by themselves: whose series a person may see is decided by their
 * label `project`, and what an organization has is not its projects' members' to see.
 * @param tells whether this one tells: of several replicas one does
 */
export function creditMetrics(registry: Registry, db: Db, tells: () => boolean): void {
  let asked: { readonly at: number; readonly report: ReturnType<typeof creditsReport> } | undefined;
  // Gauges are asked at the same time: one question is for all of them.
  const report = (): ReturnType<typeof creditsReport> => {
    const now = Date.now();
    if (asked === undefined || now - asked.at > FRESH_MS) {
      asked = { at: now, report: tells() ? creditsReport(db, new Date(now)) : Promise.resolve([]) };
    }
    return asked.report;
  };
  const gauge = (name: string, help: string, value: (of: CreditsRecord) => number | undefined) =>
    new Gauge({
      name,
      help,
      labelNames: ['organization'],
      registers: [registry],
      async collect() {
        const organizations = (await report()).filter(({ project }) => project === null);
        this.reset();
        for (const each of organizations.slice(0, MOST)) {
          const told = value(each);
          if (told !== undefined) this.set({ organization: each.org }, told);
        }
      },
    });
  gauge('delos_credits_left', 'Credits that an organization may still spend, without what is held', ({ credits }) =>
    credits === null ? undefined : Number(credits),
  );
  gauge('delos_credits_spent', 'Credits that were charged, less what was given back', ({ spent }) => Number(spent));
  gauge('delos_credits_seconds_left', 'Until credits end, if they are spent as now', ({ endsAt }) =>
    endsAt === null ? undefined : Math.max(0, (Date.parse(endsAt) - Date.now()) / 1000),
  );
}
