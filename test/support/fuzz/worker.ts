import { parentPort, workerData } from 'node:worker_threads';
import { fuzz, type Target } from './engine.ts';

export interface Work {
  readonly seed: number;
  readonly milliseconds: number;
  readonly runs: number;
  /** Of what runs now: number of the run, length of the input. */
  readonly state: Int32Array;
  readonly input: Uint8Array;
}

/** Fuzzes in this thread as the thread that made it says, and tells it the outcome. */
export function serve(target: Target): void {
  const { seed, milliseconds, runs, state, input } = workerData as Work;
  const begin = (bytes: Uint8Array): void => {
    input.set(bytes.subarray(0, input.length));
    state[1] = bytes.length;
    Atomics.add(state, 0, 1);
  };
  parentPort?.postMessage(fuzz(target, { seed, milliseconds, runs, begin }));
}
