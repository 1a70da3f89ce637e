import { delos, isPlatformOf } from './instance.ts';
import { runName } from './test-run.ts';

export { nameRun as setup } from './test-run.ts';

/** What the run brought up goes with it. */
export async function teardown(): Promise<void> {
  if (process.env.DELOS_TEST_KEEP !== undefined || !(await isPlatformOf(runName()))) return;
  const { code, stderr } = await delos(['down', '--delete-data']);
  if (code !== 0) throw new Error(`delos down: exit code ${code}\n${stderr}`);
}
