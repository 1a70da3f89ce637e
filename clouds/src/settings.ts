import { dirname, resolve } from 'node:path';
import { type DelosConfig, loadConfig } from '@delos/constructs';
import { DelosError, isDelosError, loadConfigBy } from '@delos/core';
import pulumi from '@pulumi/pulumi';
import type { z } from 'zod';
import type { ClusterOutputs } from './outputs.ts';

/**
 * The cluster of the file that the stack's configuration names (`pulumi config set file FILE`, relative to the stack's folder), for the
 * delos.yaml that it names.
 * @throws pulumi.RunError naming file, line and field, what was expected and what to do
 */
export async function clusterOf<T extends { readonly platform: string }>(
  schema: z.ZodType<T>,
  make: (cluster: T, platform: DelosConfig) => ClusterOutputs,
): Promise<ClusterOutputs> {
  try {
    const file = fileOf(new pulumi.Config().get('file'));
    const cluster = await loadConfigBy(
      schema,
      file,
      'docs/guides/clouds.md shows one; `pulumi config set file FILE` names another',
    );
    return make(cluster, await loadConfig(resolve(dirname(file), cluster.platform)));
  } catch (error) {
    // Of such an error Pulumi shows the words, and no stack of calls.
    throw isDelosError(error) ? new pulumi.RunError(error.render()) : error;
  }
}

function fileOf(given: string | undefined): string {
  if (given !== undefined) return resolve(pulumi.getRootDirectory(), given);
  throw new DelosError('ERR_CONFIG_NOT_FOUND', 'the stack is not told of the file of its cluster', {
    hint: 'write one as docs/guides/clouds.md shows, then: pulumi config set file FILE',
  });
}
