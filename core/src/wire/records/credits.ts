import { z } from 'zod';
import { dnsLabel } from '../../config-fields.ts';

/*
 * How the operator's command asks the control API's Pod about credits: one request on the stdin of
 * `delos-runtime credits`, one answer on its stdout. Amounts are credits, decimal numbers as text; times are ISO 8601.
 */

/** An organization, or a project of it. */
const holder = { org: dnsLabel, project: dnsLabel.optional() };
const text = (most: number) => z.string().trim().min(1).max(most);

/** An amount of credits that is given, or taken back. */
export const givenCredits = z
  .string()
  .regex(/^-?\d{1,12}(\.\d{1,9})?$/, 'expected a decimal number of at most 12 digits, and 9 after the point')
  .refine((amount) => /[1-9]/.test(amount), 'expected an amount that is not zero');

export const creditsRequest = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('add'),
    ...holder,
    credits: givenCredits,
    /** What makes two requests one. */
    key: text(100),
    by: text(200),
    why: text(1_000),
  }),
  z.strictObject({ action: z.literal('show'), org: dnsLabel.optional() }),
  z.strictObject({ action: z.literal('statement'), ...holder, from: z.iso.datetime(), to: z.iso.datetime() }),
  z.strictObject({ action: z.literal('verify') }),
]);
export type CreditsRequest = z.infer<typeof creditsRequest>;

/** How an organization, or a project that has credits of its own, stands. */
export const creditsRecord = z.object({
  org: z.string(),
  /** Null: the organization as a whole. */
  project: z.string().nullable(),
  /** What may still be spent; null: it was never given any, and pays with its organization's. */
  credits: z.string().nullable(),
  held: z.string(),
  /** All time, less what was given back. */
  spent: z.string(),
  budget: z.object({ credits: z.string(), period: z.string(), spent: z.string() }).nullable(),
  /** When they end, if they are spent as now; null: they do not. */
  endsAt: z.string().nullable(),
  /** Why no job that costs something may start; null: it may. */
  closed: z.string().nullable(),
});
export type CreditsRecord = z.infer<typeof creditsRecord>;

export const creditsStatement = z.object({
  org: z.string(),
  project: z.string().nullable(),
  from: z.string(),
  to: z.string(),
  opening: z.string(),
  lines: z.array(
    z.object({
      at: z.string(),
      kind: z.string(),
      job: z.string().nullable(),
      seconds: z.number().nullable(),
      by: z.string().nullable(),
      why: z.string().nullable(),
      credits: z.string(),
    }),
  ),
  closing: z.string(),
});
export type CreditsStatement = z.infer<typeof creditsStatement>;

/** What is wrong with the books; nothing: they prove themselves. */
export const creditsVerdict = z.object({ transactions: z.number(), faults: z.array(z.string()) });
