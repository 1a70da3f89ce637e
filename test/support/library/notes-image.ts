import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MIRROR_HOST } from '@delos/artifacts';
import { resolveTool } from '@delos/cluster';
import { instancePaths, silent } from '@delos/core';
import { mirrorStore, withRegistry } from '../../../cluster/src/images/index.ts';
import { tryStored } from '../../../cluster/src/images/store.ts';
import { execute, expectOk } from '../../../peers/src/command.ts';

const PROGRAM = join(import.meta.dirname, 'notes.pl');
const REPOSITORY = `${MIRROR_HOST}/delos-test/notes`;

/**
 * The image of the service `notes`: its program on top of an image that has psql and Perl. It is put where the nodes of
 * embedded clusters look for images.
 * @param base reference of the platform's image of PostgreSQL
 * @returns its reference
 */
export async function notesImage(base: string): Promise<string> {
  const program = await readFile(PROGRAM);
  const tag = createHash('sha256').update(base).update(program).digest('hex').slice(0, 12);
  const store = mirrorStore(instancePaths('delos', process.env));
  if ((await tryStored(store, REPOSITORY, tag)) !== undefined) return `${REPOSITORY}:${tag}`;
  const folder = await mkdtemp(join(tmpdir(), 'delos-notes-'));
  try {
    await copyFile(PROGRAM, join(folder, 'notes'));
    await chmod(join(folder, 'notes'), 0o755);
    const layer = join(folder, 'layer.tar');
    await expectOk(execute(['tar', '-cf', layer, '--owner=0', '--group=0', '-C', folder, 'notes']));
    const [registry, crane] = await Promise.all([resolveTool('registry', silent), resolveTool('crane', silent)]);
    await withRegistry(registry.path, store, async (endpoint) => {
      const from = base.startsWith(`${MIRROR_HOST}/`) ? `${endpoint}/${base}` : base;
      const to = `${endpoint}/${REPOSITORY}:${tag}`;
      await expectOk(execute([crane.path, 'append', '--insecure', '-b', from, '-f', layer, '-t', to]));
    });
  } finally {
    await rm(folder, { recursive: true });
  }
  return `${REPOSITORY}:${tag}`;
}
