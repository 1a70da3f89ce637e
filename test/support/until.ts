import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks until the answer is not undefined.
 *
 * @param what object and condition, for the error
 * @param limit seconds
 * @throws Error naming what was waited for, the last state seen and the limit
 */
export async function until<T>(
  what: string,
  limit: number,
  ask: (last: (seen: unknown) => void) => Promise<T | undefined> | T | undefined,
  pause = 200,
): Promise<T> {
  const started = performance.now();
  let last: unknown;
  for (;;) {
    const answer = await ask((seen) => {
      last = seen;
    });
    if (answer !== undefined) return answer;
    if (performance.now() - started > limit * 1000) {
      throw new Error(`${what}: not within ${limit} s; last seen: ${JSON.stringify(last) ?? 'nothing'}`);
    }
    await sleep(pause);
  }
}
