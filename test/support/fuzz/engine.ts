import { seeded } from '../random.ts';
import { COUNTERS, PLACES, WORDS } from './instrument-names.ts';
import { Mutator } from './mutate.ts';

/** What is fuzzed: it throws where something is wrong. */
export interface Target {
  readonly seeds: readonly Uint8Array[];
  readonly words?: readonly string[];
  run(input: Uint8Array): void;
}

export interface Budget {
  readonly seed: number;
  readonly milliseconds: number;
  readonly runs: number;
  /** Told before each run, so that whoever watches knows what a run hangs on. */
  readonly begin: (input: Uint8Array) => void;
}

export interface Outcome {
  readonly runs: number;
  /** Branches reached, each with how often at about. */
  readonly features: number;
  /** Of these, by the seeds alone. */
  readonly seedFeatures: number;
  /** Inputs that reached something new. */
  readonly kept: number;
  readonly failure?: { readonly input: string; readonly message: string };
}

// The bundle makes these before any of its modules runs.
const globals = globalThis as unknown as Record<string, unknown>;
const counters = (globals[COUNTERS] as Uint8Array | undefined) ?? new Uint8Array(PLACES);
const counted = new Uint32Array(counters.buffer);
const words = (globals[WORDS] as string[] | undefined) ?? [];

/** How often, at about: 1, 2, 3, 4…7, 8…15, 16…31, 32…127, more. */
const BUCKET = Uint8Array.from({ length: 256 }, (_, count) =>
  count < 4
    ? ([0, 1, 2, 4][count] as number)
    : count < 8
      ? 8
      : count < 16
        ? 16
        : count < 32
          ? 32
          : count < 128
            ? 64
            : 128,
);

/**
 * Runs changed inputs for some time. Inputs that reach a branch for the first time, or much more often than before,
 * are kept and changed further (as AFL does it, https://lcamtuf.coredump.cx/afl/technical_details.txt).
 */
export function fuzz(target: Target, budget: Budget): Outcome {
  const random = seeded(budget.seed);
  const mutator = new Mutator(random, [...words, ...(target.words ?? [])]);
  const seen = new Uint8Array(PLACES);
  const kept: Uint8Array[] = [];
  let features = 0;
  let runs = 0;
  let failure: Outcome['failure'];
  const run = (input: Uint8Array): void => {
    counters.fill(0);
    budget.begin(input);
    runs += 1;
    try {
      target.run(input);
    } catch (error) {
      failure = {
        input: Buffer.from(input).toString('base64'),
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      };
      return;
    }
    const before = features;
    for (let word = 0; word < counted.length; word += 1) if (counted[word] !== 0) features += fresh(seen, 4 * word);
    if (features > before) kept.push(input);
  };
  for (const seed of target.seeds) if (failure === undefined) run(seed);
  const seedFeatures = features;
  if (kept.length === 0) kept.push(new Uint8Array());
  const end = Date.now() + budget.milliseconds;
  // Newer inputs lead further, so that half of the changes begin there.
  const pick = (): Uint8Array => {
    const among = random() < 0.5 ? Math.min(kept.length, 64) : kept.length;
    return kept[kept.length - 1 - Math.floor(random() * among)] as Uint8Array;
  };
  while (failure === undefined && runs < budget.runs && Date.now() < end) run(mutator.changed(pick(), pick()));
  return { runs, features, seedFeatures, kept: kept.length, ...(failure === undefined ? {} : { failure }) };
}

/** Counts of four places that were not seen before. */
function fresh(seen: Uint8Array, first: number): number {
  let found = 0;
  for (let at = first; at < first + 4; at += 1) {
    const bucket = BUCKET[counters[at] as number] as number;
    if (bucket === 0 || ((seen[at] as number) & bucket) !== 0) continue;
    seen[at] = (seen[at] as number) | bucket;
    found += 1;
  }
  return found;
}
