import { join } from 'node:path';
import { ensureImages } from '@delos/cluster';
import { silent } from '@delos/core';
import { type TestCluster, testCluster } from '../../../support/cluster/cluster.ts';

/** The tests' cluster with the probes' image in its mirror. DELOS_TEST_KUBECONFIG names another that has it. */
export async function probedCluster(): Promise<{ readonly kubeconfig: string }> {
  const given = process.env.DELOS_TEST_KUBECONFIG;
  if (given !== undefined) return { kubeconfig: given };
  return provideProbes(await testCluster());
}

/** Puts the probes' image into the mirror of a cluster of one's own. */
export async function provideProbes({ paths, handle }: TestCluster): Promise<{ readonly kubeconfig: string }> {
  const root = join(import.meta.dirname, '../../../..');
  await ensureImages({ names: ['user-base'], root, paths, source: 'local', standIns: false }, silent);
  return { kubeconfig: handle.kubeconfig };
}
