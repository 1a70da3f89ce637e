import { Cron } from 'croner';

/**
 * When the bakes of a schedule are due: five fields of cron in a time zone. Pure: told what time it is.
 *
 * Where the clock goes forward, a time that is left out runs at the first one after the gap; where it goes back, a time
 * that comes twice runs at the first of both, and steps such as every ten minutes go on through the whole hour.
 */
export interface ScheduleRule {
  readonly cron: string;
  /** Of the IANA's list: `Europe/Berlin`. */
  readonly timeZone: string;
  /** What becomes of runs that nobody was there for. */
  readonly missed: MissedPolicy;
}

/** `skip` them; make up for all of them `once`; make up for `all`, of many the last ones. */
export type MissedPolicy = 'skip' | 'once' | 'all';

/** A run that is this late was missed. Milliseconds. */
export const LATE_MS = 5 * 60_000;
/** Runs that are made up for at once. */
export const MOST_MADE_UP = 100;

export interface DueRuns {
  /** Times of the runs to be made now, the oldest first. Milliseconds since 1970. */
  readonly due: readonly number[];
  /** The time that the next call begins after. */
  readonly upto: number;
  /** When the next run is due; null: never again. */
  readonly next: number | null;
}

/** @throws RangeError with what is wrong */
export function checkSchedule(rule: Pick<ScheduleRule, 'cron' | 'timeZone'>): void {
  let next: Date | null;
  try {
    new Intl.DateTimeFormat('en', { timeZone: rule.timeZone });
  } catch {
    throw new RangeError(`there is no time zone ${JSON.stringify(rule.timeZone)}`);
  }
  try {
    next = clockOf(rule).nextRun(new Date(0));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RangeError(`${JSON.stringify(rule.cron)} is not understood: ${why}`);
  }
  if (next === null) throw new RangeError(`${JSON.stringify(rule.cron)} names a time that never comes`);
}

/**
 * The runs that are due after one time and up to another, as the policy has it. No run is told twice where each call
 * begins after the `upto` of the one before.
 */
export function dueRuns(rule: ScheduleRule, after: number, now: number): DueRuns {
  const clock = clockOf(rule);
  const upto = Math.max(after, now);
  const passed = clock
    .previousRuns(MOST_MADE_UP, new Date(upto + 1))
    .map((run) => run.getTime())
    .filter((at) => at > after && at <= now)
    .sort((a, b) => a - b);
  const due =
    rule.missed === 'all' ? passed : passed.slice(-1).filter((at) => rule.missed === 'once' || now - at < LATE_MS);
  return { due, upto, next: clock.nextRun(new Date(upto))?.getTime() ?? null };
}

const clockOf = ({ cron, timeZone }: Pick<ScheduleRule, 'cron' | 'timeZone'>): Cron =>
  new Cron(cron, { timezone: timeZone, mode: '5-part', paused: true });
