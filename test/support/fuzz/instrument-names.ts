/** Global array that instrumented code counts in: one place for each branch. */
export const COUNTERS = '__fuzzCounters';
export const PLACES = 1 << 16;
/** Global list of the texts that instrumented code names: they often are what an input must hold. */
export const WORDS = '__fuzzWords';
