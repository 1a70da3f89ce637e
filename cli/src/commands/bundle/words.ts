import { Pace } from '@delos/airgap';
import type { Progress } from '@delos/core';

export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Tells at most each second how far it is, at which pace, and how long it will take. */
export function paced(progress: Progress, total: number): (done: number, what: string) => void {
  const started = performance.now();
  const pace = new Pace(total, started);
  let told = started;
  return (done, what) => {
    const now = performance.now();
    if (now - told < 1000 && done < total) return;
    told = now;
    progress.step(`${what}: ${pace.words(done, now)}`);
  };
}
