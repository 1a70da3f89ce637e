import { join } from 'node:path';
import { ensureImages } from '@delos/cluster';
import { instancePaths, silent } from '@delos/core';
import { z } from 'zod';
import { delosJson, TEST_INSTANCE } from '../support/instance.ts';

/**
 * The embedded cluster of the tests' instance, started where it is not up, and the image of the probes in its mirror.
 * DELOS_TEST_KUBECONFIG names another that has it.
 */
export async function testCluster(): Promise<{ readonly kubeconfig: string }> {
  const given = process.env.DELOS_TEST_KUBECONFIG;
  if (given !== undefined) return { kubeconfig: given };
  const paths = instancePaths(TEST_INSTANCE, process.env);
  const root = join(import.meta.dirname, '../..');
  await ensureImages({ names: ['user-base'], root, paths, source: 'local', standIns: false }, silent);
  return delosJson(z.object({ kubeconfig: z.string() }), ['cluster', 'up']);
}
