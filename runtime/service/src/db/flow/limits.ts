/* The bounds of flows: what the database keeps of them, whatever clients send. */

/** Flows of one project. */
export const MOST_FLOWS = 1_000;
/** Jobs that one live.yml tells of. */
export const MOST_LIVE_JOBS = 1_000;
/** Bakes of one flow that have not ended. */
export const MOST_OPEN_BAKES = 1_000;
/** Bakes of one flow that are kept. Of more, the oldest that have ended go. */
export const MOST_BAKES = 10_000;
/** Bytes of all bakes of one flow. Of more, the oldest that have ended go. */
export const MOST_BAKES_BYTES = 2 ** 30;
/** Bytes of one bake: its graphs and parameters, its configuration files, and what its tasks say. */
export const MOST_BAKE_BYTES = 64 * 2 ** 20;
/** The client itself makes no attempt after number 99. */
export const MOST_ATTEMPTS = 100;
export const MOST_TASKS = 50_000;
export const MOST_CONFIG_FILES = 1_000;
export const MOST_IMAGES = 1_000;
/** Entries of one flow's cache. Of more, the oldest go. */
export const MOST_CACHE_ENTRIES = 100_000;
/** Bytes of one flow's cache. Of more, the oldest entries go. */
export const MOST_CACHE_BYTES = 256 * 2 ** 20;
