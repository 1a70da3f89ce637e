/** How long a budget is for. Weeks begin on Mondays; all of it in UTC. */
export const PERIODS = ['day', 'week', 'month', 'quarter', 'year'] as const;
export type Period = (typeof PERIODS)[number];

/** Seconds since 1970: the first one, and the first that is not part of it. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

const DAY = 86_400;

/** The period that a second lies in. @param second since 1970 */
export function periodAt(period: Period, second: number): Span {
  const day = Math.floor(second / DAY) * DAY;
  const date = new Date(day * 1000);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  switch (period) {
    case 'day':
      return { from: day, to: day + DAY };
    case 'week': {
      const monday = day - ((date.getUTCDay() + 6) % 7) * DAY;
      return { from: monday, to: monday + 7 * DAY };
    }
    case 'month':
      return { from: firstOf(year, month), to: firstOf(year, month + 1) };
    case 'quarter': {
      const first = month - (month % 3);
      return { from: firstOf(year, first), to: firstOf(year, first + 3) };
    }
    case 'year':
      return { from: firstOf(year, 0), to: firstOf(year + 1, 0) };
  }
}

const firstOf = (year: number, month: number): number => Date.UTC(year, month) / 1000;
