import { creditsText, type Grains } from './amounts.ts';
import { type Period, periodAt } from './periods.ts';

/** Whoever may run out of credits: what a job is paid from, and what is told how much it may spend. */
export interface Scope {
  /** As people call it: `organization lab`, `project lab/vision`. */
  readonly name: string;
  /** Its credits that are neither spent nor held. Undefined: it never got any, and is not charged. */
  readonly balance: Grains | undefined;
  /** @default it may spend what it has */
  readonly budget?: {
    readonly grains: Grains;
    readonly period: Period;
    /** In the period of now: charged, less what was given back, and held. */
    readonly spent: Grains;
  };
  /** Since when it has had nothing left, in seconds since 1970; undefined: it has, as far as was seen. */
  readonly emptySince: number | undefined;
}

/** What becomes of jobs for want of credits. */
export interface Verdict {
  /** Why no job may start there; undefined: jobs may. */
  readonly closed: string | undefined;
  /** From when on jobs that run are ended, in seconds since 1970; undefined: they are not. */
  readonly endsAt: number | undefined;
}

/**
 * Whether jobs that cost something may start in a scope, and when those that run are ended.
 * @param graceSeconds how long jobs run on when nothing is left
 */
export function judge(scope: Scope, now: number, graceSeconds: number): Verdict {
  const closed = balanceWords(scope, 0n) ?? budgetWords(scope, 0n, now);
  return { closed, endsAt: closed === undefined ? undefined : (scope.emptySince ?? now) + graceSeconds };
}

/**
 * Why a job cannot start for want of credits, for its user; undefined: it can.
 * @param scopes all that it is paid from, or counted in
 * @param needs what it would have held
 */
export function refusal(scopes: readonly Scope[], needs: Grains, now: number): string | undefined {
  if (needs === 0n) return undefined;
  for (const scope of scopes) {
    const words = balanceWords(scope, needs) ?? budgetWords(scope, needs, now);
    if (words !== undefined) return words;
  }
  return undefined;
}

function balanceWords({ name, balance }: Scope, needs: Grains): string | undefined {
  if (balance === undefined || (balance > 0n && balance >= needs)) return undefined;
  if (balance <= 0n) {
    const debt = balance < 0n ? ` and owes ${creditsText(-balance)}` : '';
    return `${name} has no credits left${debt}: ask its administrator for more`;
  }
  return `${name} has ${creditsText(balance)} credits left, and this job needs ${creditsText(needs)} to start: ask its administrator for more`;
}

function budgetWords({ name, budget }: Scope, needs: Grains, now: number): string | undefined {
  if (budget === undefined) return undefined;
  const { grains, period, spent } = budget;
  if (spent < grains && spent + needs <= grains) return undefined;
  const next = dayOf(periodAt(period, now).to);
  const needed = needs === 0n || spent >= grains ? '' : `, and this job needs ${creditsText(needs)} to start`;
  return `${name} has spent ${creditsText(spent)} of its budget of ${creditsText(grains)} credits for this ${period}${needed}: the next ${period} begins on ${next}`;
}

const dayOf = (second: number): string => new Date(second * 1000).toISOString().slice(0, 10);

/**
 * When credits end if they are spent as they are now, in seconds since 1970; undefined: they do not.
 * @param perSecond what all jobs that run cost together
 */
export function endOf(balance: Grains, perSecond: Grains, now: number): number | undefined {
  if (perSecond <= 0n) return undefined;
  return balance <= 0n ? now : now + Number(balance / perSecond);
}
