import { megabytes } from '../backup/sizes.ts';
import type { Refusal } from '../upgrade/plan.ts';
import type { PointSet } from './points.ts';

const SEGMENT_BYTES = 16 * 2 ** 20;
/** For the log that the recovery itself writes, and a reserve. */
const RESERVE_BYTES = 512 * 2 ** 20;

/** What is known before anything is changed. */
export interface TimeFacts {
  readonly instance: string;
  readonly time: { readonly text: string; readonly ms: number };
  readonly sets: readonly PointSet[];
  /** Bytes that are free on the volume of the database; undefined where its Pod does not run. */
  readonly free: number | undefined;
  /** The archive lies in a storage of the same platform. */
  readonly besideDatabase: boolean;
}

export interface TimePlan {
  readonly instance: string;
  readonly time: string;
  /** From which base backup of which history. */
  readonly from: { readonly set: string; readonly base: string; readonly taken: string; readonly bytes: number } | null;
  readonly segments: number;
  readonly besideDatabase: boolean;
  readonly refusals: readonly Refusal[];
}

/** What going back would do, and why it would not be begun. */
export function planTime(facts: TimeFacts): TimePlan {
  const found = choose(facts);
  const plan = { instance: facts.instance, time: facts.time.text, besideDatabase: facts.besideDatabase };
  if ('refusal' in found) return { ...plan, from: null, segments: 0, refusals: [found.refusal] };
  const { set, base } = found;
  return {
    ...plan,
    from: { set: set.set, base: base.id, taken: base.from, bytes: base.bytes },
    segments: base.segments,
    refusals: refusalsOf(facts, set, base),
  };
}

type Choice = { readonly set: PointSet; readonly base: PointSet['bases'][number] };

function choose({ sets, time }: TimeFacts): Choice | { readonly refusal: Refusal } {
  const refuse = (what: string, todo: string) => ({ refusal: { what, todo } });
  const first = sets[0]?.bases[0];
  if (first === undefined) {
    return refuse('the archive has no base backup yet', 'wait for the first one: `delos restore --points` shows it');
  }
  // The history that was there at that time: the last one that had begun.
  const set = sets.findLast(({ bases }) => Date.parse(bases[0]?.from ?? '') <= time.ms);
  const base = set?.bases.findLast(({ from }) => Date.parse(from) <= time.ms);
  if (set === undefined || base === undefined) {
    return refuse(`${time.text} is before the first base backup`, `the earliest time is ${first.from}`);
  }
  if (time.ms <= Date.parse(set.until)) return { set, base };
  const next = sets[sets.indexOf(set) + 1]?.bases[0];
  return next === undefined
    ? refuse(`${time.text} is after the end of the archive`, `the latest time is ${set.until}`)
    : refuse(
        `nothing was archived at ${time.text}`,
        `go back to ${set.until}, just before it, or to ${next.from}, just after it`,
      );
}

function refusalsOf(facts: TimeFacts, set: PointSet, base: Choice['base']): readonly Refusal[] {
  const refusals: Refusal[] = [];
  if (!set.opens) {
    refusals.push({
      what: `the archive of that time is encrypted for ${set.recipient}, and its key does not open that`,
      todo: 'add the key of that time as a further line to what `services.databaseArchive.key` leads to, then `delos up`',
    });
  }
  const gap = set.missing.find(({ number, since }) => number >= base.first && Date.parse(since) <= facts.time.ms);
  if (gap !== undefined) {
    const later = set.bases.find(({ first }) => first > gap.number);
    refusals.push({
      what: `the archive lacks the segment ${gap.segment} of the log, of about ${gap.since}`,
      todo: `go back to a time before it${later === undefined ? '' : `, or after ${later.from}`}`,
    });
  }
  const needed = base.bytes + base.segments * SEGMENT_BYTES + RESERVE_BYTES;
  if (facts.free !== undefined && facts.free < needed) {
    refusals.push({
      what: `${megabytes(needed)} are needed beside the data that is there, and ${megabytes(facts.free)} are free on the database’s volume`,
      todo: 'enlarge the volume of the claim data-postgres-0',
    });
  }
  return refusals;
}

/** A plan for a person. */
export function planText(plan: TimePlan): string {
  const { from } = plan;
  return [
    `Instance ${plan.instance} goes back to ${plan.time}.`,
    ...(from === null
      ? []
      : [
          '',
          '1. All services stop, but for the object storage and the archive. What is committed by then comes into the archive.',
          `2. The base backup of ${from.taken} (${megabytes(from.bytes)}) and the log since then, ${plan.segments} segments at most, come onto the database’s volume, beside the data that is there.`,
          `3. PostgreSQL replays the log until ${plan.time}. When that fails, all services start with the data that was there.`,
          '4. What was recovered takes the place of that data, which is removed when all services run.',
          '',
          `What was committed since goes: users, projects, jobs, passwords. Jobs that are unknown then end. The archive keeps it for as long as the rest: \`delos restore --to-time\` with a later time brings it back.`,
          'Only the database goes back: objects in buckets, images, packages, disks of jobs and secrets stay as they are.',
        ]),
    ...(plan.besideDatabase
      ? ['', 'The archive lies in the object storage of this platform: it does not survive the loss of that volume.']
      : []),
    ...plan.refusals.flatMap(({ what, todo }) => ['', `Refused: ${what}`, `  what to do: ${todo}`]),
  ].join('\n');
}
