import { DelosError } from '@delos/core';

/** The end of a command that was told to stop. Every step is repeatable, so the same command goes on. */
export function interrupted(): DelosError {
  return new DelosError('ERR_INTERRUPTED', 'interrupted', {
    hint: 'nothing needs cleaning up: the same command goes on where this one stopped',
  });
}

/** Whether an error is that of a call which was told to stop, or was made of such a one. */
export function isOfStop(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each.name === 'AbortError') return true;
  }
  return false;
}

/** Settles as `work` does, or rejects with ERR_INTERRUPTED as soon as the signal is aborted. */
export async function interruptible<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  if (signal.aborted) throw interrupted();
  let stop: (() => void) | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        stop = () => reject(interrupted());
        signal.addEventListener('abort', stop, { once: true });
      }),
    ]);
  } finally {
    if (stop !== undefined) signal.removeEventListener('abort', stop);
  }
}
