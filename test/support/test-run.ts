import { randomUUID } from 'node:crypto';

/** Names the test run: its files share what it brought up, and what another run beside it has up is none of its business. */
export function nameRun(): void {
  process.env.DELOS_TEST_RUN ??= randomUUID();
}

/** The name of the test run; of a process by itself, one of its own. */
export const runName = (): string => process.env.DELOS_TEST_RUN ?? `pid-${process.pid}`;
