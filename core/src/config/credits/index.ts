import { z } from 'zod';

/** A decimal number in quotes, as prices are: exact, whatever YAML makes of numbers. */
const DECIMAL = /^\d{1,12}(\.\d{1,9})?$/;
export const decimal = z
  .string()
  .regex(DECIMAL, 'expected a decimal number in quotes, at most 12 digits and 9 after the point');

const minutes = (standard: number) =>
  z
    .number()
    .int()
    .min(0)
    .max(60 * 24 * 90)
    .default(standard);

/** How jobs are charged, where presets have prices and organizations were given credits. */
export const credits = z
  .strictObject({
    holdMinutes: minutes(60).describe(
      'What so many minutes of a job cost is held when it starts; the rest comes back when it ends',
    ),
    refundMinutes: minutes(60).describe(
      'Of a job that was preempted, or lost its node, at most so many of its last minutes are given back; 0: none',
    ),
    graceMinutes: minutes(60).describe('How long jobs run on when nothing is left; then they are ended'),
  })
  .prefault({})
  .describe(
    'How jobs are charged, where presets have prices and organizations were given credits by `delos credits add`',
  );

/** Periods of budgets. Weeks begin on Mondays; all in UTC. */
export const BUDGET_PERIODS = ['day', 'week', 'month', 'quarter', 'year'] as const;

export const budget = z.strictObject({
  credits: decimal.describe('How many, a decimal number in quotes'),
  period: z
    .enum(BUDGET_PERIODS)
    .default('month')
    .describe('In which time, in UTC; what is left of it does not go over'),
});

export const priceChange = z.strictObject({
  from: z.iso
    .datetime({ error: 'expected a time in UTC, such as 2027-01-01T00:00:00Z' })
    .describe('When it begins, such as 2027-01-01T00:00:00Z'),
  creditsPerHour: decimal.describe('Price from then on, a decimal number in quotes'),
});
