/** Version of this release of Delos; docs/releases.yaml lists those that were given out. */
export const RELEASE = '0.2.0';

/** Negative: `a` is earlier than `b`. Both are `MAJOR.MINOR.PATCH`. */
export function compareReleases(a: string, b: string): number {
  const [ours = [], theirs = []] = [a, b].map((version) => version.split('.').map(Number));
  const steps = ours.map((part, index) => part - (theirs[index] ?? 0));
  return steps.find((step) => step !== 0) ?? 0;
}
