import type { Progress } from '@delos/core';
import { interrupted } from './interrupt.ts';

export interface Phase {
  readonly name: string;
  readonly seconds: number;
}

/** Runs the parts of a command one after the other, each shown and timed. */
export class Phases {
  readonly done: Phase[] = [];
  readonly #progress: Progress;
  readonly #signal: AbortSignal;

  constructor(progress: Progress, signal: AbortSignal) {
    this.#progress = progress;
    this.#signal = signal;
  }

  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (this.#signal.aborted) throw interrupted();
    const end = this.#progress.phase(name);
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.done.push({ name, seconds: Math.round((performance.now() - started) / 10) / 100 });
      end();
    }
  }
}
