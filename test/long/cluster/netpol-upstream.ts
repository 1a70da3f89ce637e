import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createToolchain, mirrorStore, tryStored, withRegistry } from '@delos/cluster';
import { instancePaths, silent } from '@delos/core';
import { goEnv, moduleHash } from '../../../cluster/src/toolchain/build.ts';
import { execute, expectOk } from '../../../peers/src/command.ts';
import { TEST_INSTANCE } from '../../support/instance.ts';

const MODULES = join(import.meta.dirname, '../../../artifacts/go');
/** Name and tag under which Kubernetes 1.34's suite asks for its Swiss army knife. */
const AGNHOST = { repository: 'registry.k8s.io/e2e-test-images/agnhost', tag: '2.56' } as const;
const BUILD_S = 3600;

/**
 * Builds upstream's suite and its image from the Kubernetes module, and has the mirror answer for the image.
 *
 * @returns path of the suite's executable
 */
export async function upstreamSuite(): Promise<string> {
  const { cache } = instancePaths(TEST_INSTANCE, process.env);
  const { resolve } = createToolchain({ cache });
  const go = (await resolve('go', silent)).path;
  const folder = join(cache, 'tests/netpol-e2e', (await moduleHash(join(MODULES, 'netpol-e2e'), '.')).slice(0, 16));
  await mkdir(folder, { recursive: true });
  const build = async (name: string, what: string): Promise<string> => {
    const target = join(folder, name);
    const env = goEnv({ go, cache, modules: MODULES, env: process.env });
    const args = ['build', '-trimpath', '-buildvcs=false', '-ldflags', '-s -w', '-o', target, what];
    await expectOk(execute([go, ...args], { cwd: join(MODULES, 'netpol-e2e'), env, timeout: BUILD_S }));
    return target;
  };
  const suite = await build('netpol-e2e', '.');
  const agnhost = await build('agnhost', 'k8s.io/kubernetes/test/images/agnhost');
  const store = mirrorStore({ cache });
  if ((await tryStored(store, AGNHOST.repository, AGNHOST.tag)) === undefined) {
    const [registry, crane] = [await resolve('registry', silent), await resolve('crane', silent)];
    await withRegistry(registry.path, store, (endpoint) => pushAgnhost(crane.path, agnhost, endpoint));
  }
  return suite;
}

/** One static file is all that the image of these specs needs. */
async function pushAgnhost(crane: string, agnhost: string, endpoint: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'delos-agnhost-'));
  try {
    const reference = `${endpoint}/${AGNHOST.repository}:${AGNHOST.tag}`;
    const layer = join(work, 'layer.tar');
    await symlink(agnhost, join(work, 'agnhost'));
    const owner = ['--owner=0', '--group=0', '--mode=0755', '--dereference'];
    await expectOk(execute(['tar', '-C', work, ...owner, '-cf', layer, 'agnhost']));
    await expectOk(execute([crane, 'append', '--oci-empty-base', '-f', layer, '-t', reference]));
    const settings = ['--entrypoint', '/agnhost', '--cmd', 'pause', '--set-platform', 'linux/amd64'];
    await expectOk(execute([crane, 'mutate', reference, ...settings, '-t', reference]));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
