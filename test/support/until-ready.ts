import type { RunningCommand } from '../../peers/src/command.ts';
import { until } from './until.ts';

/**
 * Waits until a program says at its internal port that it is ready.
 * @param what the program, for the error
 * @throws Error with its last words where it ends before
 */
export async function untilReady(what: string, serving: RunningCommand, internalPort: number): Promise<void> {
  await until(
    `${what} is ready`,
    60,
    async (last) => {
      last(serving.stderr());
      if (serving.child.exitCode !== null) throw new Error(serving.stderr());
      const answer = await fetch(`http://127.0.0.1:${internalPort}/health/ready`).catch(() => undefined);
      return answer?.ok === true ? true : undefined;
    },
    20,
  );
}
