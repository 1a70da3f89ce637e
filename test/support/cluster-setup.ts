import { usedCluster } from './cluster/cluster-used.ts';
import { delos } from './instance.ts';

export { nameRun as setup } from './test-run.ts';

/** The cluster that the integration tests share goes with the run, if any of them asked for it. */
export async function teardown(): Promise<void> {
  if (process.env.DELOS_TEST_KEEP !== undefined || !(await usedCluster())) return;
  const { code, stderr } = await delos(['cluster', 'down', '--delete-data']);
  if (code !== 0) throw new Error(`delos cluster down: exit code ${code}\n${stderr}`);
}
