import { copyFile, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DelosError } from '@delos/core';

/**
 * Bundles the platform's services (an entry and its parts) beside the database migrations, as the runtime image holds them.
 * The result depends on the sources alone, not on where the checkout lies.
 * @throws DelosError ERR_IMAGE_BUILD
 */
export async function bundleRuntime(root: string, app: string): Promise<void> {
  const entry = join(root, 'runtime/service/src/main.ts');
  const there = await stat(entry).then(
    () => true,
    () => false,
  );
  if (!there) {
    throw new DelosError('ERR_IMAGE_BUILD', `the services' entry ${entry} is not there`, {
      hint: 'use a complete checkout',
    });
  }
  await mkdir(join(app, 'migrations'), { recursive: true });
  const { build } = await import('esbuild');
  try {
    await build({
      entryPoints: { 'delos-runtime': entry },
      outdir: app,
      outExtension: { '.js': '.mjs' },
      // A service reads its own parts only: one file of all of them costs each 60 MB of memory. Flat, so that
      // `migrations/` is beside whichever part asks for it.
      splitting: true,
      chunkNames: '[name]-[hash]',
      absWorkingDir: root,
      bundle: true,
      platform: 'node',
      target: 'node24',
      format: 'esm',
      // Stack traces name functions; line numbers are those of the bundle, which has one line a statement.
      minify: false,
      keepNames: true,
      legalComments: 'eof',
      external: ['pg-native'],
      // CommonJS dependencies call require for Node's own modules.
      banner: {
        js: "import { createRequire as createNodeRequire } from 'node:module';\nconst require = createNodeRequire(import.meta.url);",
      },
      logLevel: 'silent',
    });
  } catch (error) {
    const first = error instanceof Error ? error.message.split('\n').slice(0, 3).join(' ') : 'no message';
    throw new DelosError('ERR_IMAGE_BUILD', `the services could not be bundled: ${first}`, {
      hint: 'npx tsc -b runtime tells where',
      cause: error,
    });
  }
  const migrations = join(root, 'runtime/service/src/db/migrations');
  for (const name of (await readdir(migrations)).sort()) {
    if (name.endsWith('.sql')) await copyFile(join(migrations, name), join(app, 'migrations', name));
  }
}
