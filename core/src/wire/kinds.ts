import { z } from 'zod';
import { diskDesire } from './disk-desire.ts';
import { diskObservation, diskRemoved } from './disk-observation.ts';
import { jobDesire } from './job-desire.ts';
import { jobObservation, jobRemoved } from './job-observation.ts';

/*
 * The kinds of things that the control API wants of an agent. One kind is one file of desires, one of reports, and a line
 * in each list here. At the other ends: one line in the agent's keepers and one in the control API's sources of desires.
 *
 * A desire is `{kind, id, revision, spec}`. The revision grows with each change, so that an old message never undoes a
 * newer one.
 */

export const desire = z.discriminatedUnion('kind', [jobDesire, diskDesire]);
export const observation = z.discriminatedUnion('kind', [jobObservation, diskObservation]);
export const removed = z.discriminatedUnion('kind', [jobRemoved, diskRemoved]);

export type Desire = z.infer<typeof desire>;
export type Kind = Desire['kind'];
export const KINDS: readonly Kind[] = desire.options.map(({ shape }) => shape.kind.value);

/** What the agent tells of one thing. */
export type Report = z.infer<typeof observation> | z.infer<typeof removed>;

export type DesireOf<K extends Kind> = Extract<Desire, { kind: K }>;
export type ReportOf<K extends Kind> = Extract<Report, { kind: K }>;
