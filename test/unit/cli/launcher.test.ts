import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../support/setup/temporary-folder.ts';

const LAUNCHER = join(import.meta.dirname, '../../../delos');

/** A checkout with the launcher alone, and commands that stand before the machine's own on PATH. */
function checkout(commands: Readonly<Record<string, string>>) {
  const root = temporaryFolder('launcher');
  const bin = join(root, 'bin');
  for (const folder of [bin, join(root, 'cli/src'), join(root, 'home'), join(root, 'node_modules')]) {
    mkdirSync(folder, { recursive: true });
  }
  copyFileSync(LAUNCHER, join(root, 'delos'));
  writeFileSync(join(root, 'package-lock.json'), '{}');
  for (const [name, script] of Object.entries(commands)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  const run = (...words: readonly string[]): Promise<{ readonly code: number; readonly stderr: string }> =>
    new Promise((resolve) => {
      const env = { PATH: `${bin}:/usr/bin:/bin`, HOME: join(root, 'home') };
      execFile('sh', [join(root, 'delos'), ...words], { env, timeout: 60_000 }, (error, _stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stderr }),
      );
    });
  return { root, run };
}

test('every program on Node, npm among them, keeps its compiled code in the user’s own cache', async () => {
  const note = (name: string) => `printf %s "$NODE_COMPILE_CACHE" > "$HOME/${name}"`;
  const { root, run } = checkout({ node: note('node'), npm: note('npm') });
  expect(await run()).toMatchObject({ code: 0 });
  const own = join(root, 'home/.cache/delos/node/compile-cache');
  expect(readFileSync(join(root, 'home/npm'), 'utf8')).toBe(own);
  expect(readFileSync(join(root, 'home/node'), 'utf8')).toBe(own);
});

test('a release of Node that is not the pinned one is not used, whatever its own host says of it', async () => {
  // The host answers with a checksum file that fits what it sends.
  const curl = `while [ "$1" != -o ]; do shift; done
case $2 in
  *SHASUMS256.txt) printf 'evil' | sha256sum | sed "s/-$/node-v24.21.0-linux-x64.tar.gz/" > "$2" ;;
  *) printf evil > "$2" ;;
esac`;
  const { root, run } = checkout({ node: 'exit 1', curl, npm: 'echo "npm ran" >&2; exit 1' });
  const { code, stderr } = await run();
  expect(code).toBe(4);
  expect(stderr).toContain('the Node that came is not the pinned one');
  const cache = join(root, 'home/.cache/delos/node');
  expect(existsSync(cache) ? readdirSync(cache) : []).toEqual([]);
});

test('whoever waits for another installation is told so', async () => {
  const { root, run } = checkout({ node: 'exit 0', npm: 'exit 0' });
  const cache = join(root, 'home/.cache/delos');
  mkdirSync(cache, { recursive: true });
  const other = spawn('flock', [join(cache, 'npm.lock'), 'sh', '-c', 'echo holds it; sleep 1']);
  await once(other.stdout, 'data');
  const { code, stderr } = await run();
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/waiting for another installation.*\n.*installing npm dependencies/);
});

test('where nothing is there yet, a command about a bundle runs on what that has, and fetches nothing', async () => {
  const fetches = 'echo "it fetches" >&2; exit 1';
  const { root, run } = checkout({ node: 'exit 1', curl: fetches, wget: fetches, npm: fetches });
  const bundle = join(root, 'bundle');
  mkdirSync(join(bundle, 'packs'), { recursive: true });
  for (const verb of ['verify', 'import', 'inspect', 'serve']) {
    const { code, stderr } = await run('bundle', verb, bundle);
    expect([code, stderr]).toEqual([4, expect.stringContaining(`${bundle} has no packs`)]);
    expect(stderr).not.toContain('it fetches');
  }
  expect((await run('bundle', 'create', bundle)).stderr).toContain('it fetches');
});
