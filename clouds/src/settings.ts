import { dirname, resolve } from 'node:path';
import { type DelosConfig, loadConfig } from '@delos/constructs';
import { DelosError, loadConfigBy } from '@delos/core';
import pulumi from '@pulumi/pulumi';
import type { z } from 'zod';

/**
 * The file that the stack's configuration names (`pulumi config set file FILE`, relative to the stack's folder), and the delos.yaml that it
 * names.
 * @throws DelosError naming file, line and field, what was expected and what to do
 */
export async function settings<T extends { readonly platform: string }>(
  schema: z.ZodType<T>,
): Promise<{ readonly cluster: T; readonly platform: DelosConfig }> {
  const given = new pulumi.Config().get('file');
  if (given === undefined) {
    throw new DelosError('ERR_CONFIG_NOT_FOUND', 'the stack is not told of the file of its cluster', {
      hint: 'write one as docs/guides/clouds.md shows, then: pulumi config set file FILE',
    });
  }
  const file = resolve(pulumi.getRootDirectory(), given);
  const cluster = await loadConfigBy(
    schema,
    file,
    'docs/guides/clouds.md shows one; `pulumi config set file FILE` names another',
  );
  return { cluster, platform: await loadConfig(resolve(dirname(file), cluster.platform)) };
}
