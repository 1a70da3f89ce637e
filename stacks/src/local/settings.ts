import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { loadConfig } from '@delos/constructs';
import { DelosError } from '@delos/core';
import { z } from 'zod';

/** What a cluster on this machine is made of. */
export const localCluster = z.strictObject({
  instance: z.string().min(1),
  engine: z.enum(['embedded', 'kind']),
  /** Path of the delos.yaml; empty where there is none. */
  config: z.string(),
  /** Digest of its text: another one brings the cluster up to date. */
  digest: z.string(),
  /** As many nodes; 0: as the delos.yaml says. */
  nodes: z.number().int().min(0).max(16),
  /** Whether what lies on its volumes goes with it. */
  deleteData: z.boolean(),
});
export type LocalInputs = z.infer<typeof localCluster>;

const words = { nodes: 'a number of nodes, 1 to 16', deleteData: 'true or false' } as const;
const nodes = z.string().regex(/^([1-9]|1[0-6])$/);
const deleteData = z.enum(['true', 'false']);

/**
 * The stack's configuration: `config` (path of a delos.yaml, relative to the stack's folder), `nodes`, `deleteData`. All can be left out.
 * @throws DelosError ERR_CONFIG_VALUE naming the key, and what reading delos.yaml throws
 */
export async function localInputs(
  get: (key: string) => string | undefined,
  { instance, root }: { readonly instance: string; readonly root: string },
): Promise<LocalInputs> {
  const given = (key: keyof typeof words, schema: z.ZodType<string>, left: string): string => {
    const value = get(key);
    if (value === undefined) return left;
    if (schema.safeParse(value).success) return value;
    throw new DelosError(
      'ERR_CONFIG_VALUE',
      `${key} of the stack is ${JSON.stringify(value)}: expected ${words[key]}`,
      {
        where: { field: key },
        hint: `pulumi config set ${key} VALUE, or pulumi config rm ${key}`,
      },
    );
  };
  const asked = Number(given('nodes', nodes, '0'));
  const loses = given('deleteData', deleteData, 'false') === 'true';
  const file = get('config');
  if (file === undefined) {
    return { instance, engine: 'embedded', config: '', digest: '', nodes: asked, deleteData: loses };
  }
  const config = resolve(root, file);
  const { engine } = (await loadConfig(config)).cluster;
  if (engine === 'existing') {
    throw new DelosError('ERR_CONFIG_VALUE', 'cluster.engine is existing: that cluster is made by somebody else', {
      where: { file: config, field: 'cluster.engine' },
      hint: 'say embedded or kind, or use the platform’s own stack with KUBECONFIG',
    });
  }
  if (engine === 'kind' && asked !== 0) {
    throw new DelosError('ERR_CONFIG_VALUE', 'nodes of the stack is for the embedded engine alone', {
      where: { field: 'nodes' },
      hint: 'pulumi config rm nodes',
    });
  }
  const digest = createHash('sha256')
    .update(await readFile(config))
    .digest('hex');
  return { instance, engine: engine === 'kind' ? 'kind' : 'embedded', config, digest, nodes: asked, deleteData: loses };
}
