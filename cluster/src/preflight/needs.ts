const GIB = 2 ** 30;

/** What a machine must have for the embedded engine. Said here alone; docs/guides/getting-started.md repeats it, and a test compares. */
export const NEEDS = {
  /** Available before the first `up`: the node, the platform and a few small jobs. */
  memoryBytes: 4 * GIB,
  /** Further for each embedded node from the second on, without its Pods. */
  furtherNodeBytes: GIB / 2,
  /** Tools, packages and images, most of it once for all instances. */
  cacheBytes: 6 * GIB,
  /** The node's images unpacked, the database, logs. */
  stateBytes: 4 * GIB,
  /** Free inotify instances of root: each part of a node that watches its files takes one or more. */
  inotifyInstances: 64,
  furtherNodeInotify: 16,
  inotifyWatches: 8192,
} as const;
