import type { LIVE_STATUSES } from '@delos/core';
import type { ImageAct, ImageChange } from './image.ts';
import type { JobSpec } from './job.ts';
import type { BakeResult, RecordChange, Texts } from './records.ts';

/**
 * Something to be done outside. Each may be done any number of times: a job is made by its id, and only once; a job is
 * killed by its id, also where it is not made yet, and is then never made; the others change nothing.
 */
export type Act =
  | {
      readonly kind: 'submit';
      readonly task: string;
      readonly jobId: string;
      readonly try: number;
      readonly job: JobSpec;
    }
  /** Tell how the job is doing: an event about it may have been lost. */
  | { readonly kind: 'watch'; readonly task: string; readonly jobId: string }
  | { readonly kind: 'kill'; readonly task: string; readonly jobId: string }
  /** Read the log of a job that has ended. */
  | { readonly kind: 'read'; readonly task: string; readonly jobId: string }
  /** Look for a result that was kept under the key at or after `since` (milliseconds since 1970). */
  | { readonly kind: 'look'; readonly task: string; readonly key: string; readonly since: number }
  /** Run a local action's command on the user's machine, or refuse to. */
  | { readonly kind: 'local'; readonly task: string; readonly cmd: string };

type LiveStatus = (typeof LIVE_STATUSES)[number];

/** Something that happened. May come late, twice, in another order, or never: `outstanding` asks again. */
export type Event =
  | {
      readonly kind: 'job';
      readonly task: string;
      readonly jobId: string;
      readonly status: LiveStatus;
      readonly at: number;
    }
  /** `lost`: the platform lost the job, which is no fault of it: there is another try. */
  | {
      readonly kind: 'ended';
      readonly task: string;
      readonly jobId: string;
      readonly status: BakeResult | 'lost';
      readonly at: number;
      readonly startedAt?: number;
    }
  | {
      readonly kind: 'log';
      readonly task: string;
      readonly jobId: string;
      readonly outputs: Texts;
      readonly state: Texts;
    }
  | { readonly kind: 'looked'; readonly task: string; readonly key: string; readonly found: Found | null }
  /** A local action has ended. */
  | { readonly kind: 'ran'; readonly task: string; readonly succeeded: boolean; readonly outputs: Texts }
  /** An act that can never be carried out: the task fails. */
  | { readonly kind: 'refused'; readonly task: string; readonly jobId: string | null; readonly why: string }
  | { readonly kind: 'cancel' };

/** A result in the cache. */
export interface Found {
  readonly jobId: string | null;
  readonly outputs: Texts;
  readonly state: Texts;
}

/** What follows from the events so far. */
export interface Turn {
  /** To be written first, all or none; where that fails, the engine is thrown away and made anew from the rows. */
  readonly records: readonly RecordChange[];
  /** Changes of images, to be written with the records. */
  readonly images: readonly ImageChange[];
  /** To be carried out once the records are written. */
  readonly acts: readonly Act[];
  readonly builds: readonly ImageAct[];
  /** The bake has ended. Said in each turn from then on. */
  readonly result?: BakeResult;
  /** Not all was decided, so that one bake does not hold up the others: ask again soon. */
  readonly more: boolean;
}
