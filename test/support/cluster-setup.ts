import { instancePaths } from '@delos/core';
import { tryReadSpec } from '../../cluster/src/embedded/spec.ts';
import { delos, TEST_INSTANCE } from './instance.ts';

/** The cluster that the integration tests share, if any of them asked for it, goes with the run. */
export async function teardown(): Promise<void> {
  if (process.env.DELOS_TEST_KEEP !== undefined) return;
  if (tryReadSpec(instancePaths(TEST_INSTANCE, process.env)) === undefined) return;
  const { code, stderr } = await delos(['cluster', 'down', '--delete-data']);
  if (code !== 0) throw new Error(`delos cluster down: exit code ${code}\n${stderr}`);
}
