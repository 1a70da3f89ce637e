import { randomUUID } from 'node:crypto';
import { delos, isPlatformOf } from './instance.ts';

/** Names the test run, so that its files share one platform; what the run brought up goes with it. */
export function setup(): void {
  process.env.DELOS_TEST_RUN ??= randomUUID();
}

export async function teardown(): Promise<void> {
  const run = process.env.DELOS_TEST_RUN ?? '';
  if (process.env.DELOS_TEST_KEEP !== undefined || !(await isPlatformOf(run))) return;
  const { code, stderr } = await delos(['down', '--delete-data']);
  if (code !== 0) throw new Error(`delos down: exit code ${code}\n${stderr}`);
}
