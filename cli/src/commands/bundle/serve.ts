import { once } from 'node:events';
import { bundleError, serveBundle, verifyPacks } from '@delos/airgap';
import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { faultTold } from './fault-told.ts';
import { opened, type TrustOptions } from './opened.ts';
import { paced } from './words.ts';

/** Verifies a bundle, and serves it from its packs until it is told to stop. */
export async function run(
  context: CommandContext,
  folder: string,
  options: TrustOptions & { readonly listen: string },
): Promise<void> {
  const { progress, signal } = context;
  const [, host, port] = /^\[?([0-9a-fA-F.:]+?)\]?:(\d{1,5})$/.exec(options.listen) ?? [];
  if (host === undefined || Number(port) > 65_535) {
    throw new DelosError('ERR_USAGE', `--listen ${JSON.stringify(options.listen)} is no address with a port`, {
      hint: 'expected 127.0.0.1:5080 for this machine alone, or 0.0.0.0:5080 for all who reach it',
    });
  }
  const bundle = await opened(folder, options);
  const total = bundle.index.packs.reduce((sum, { size }) => sum + size, 0);
  const { faults } = await faultTold(bundle.folder, () =>
    verifyPacks(bundle, { signal, onProgress: paced(progress, total) }),
  );
  const [first, ...more] = faults;
  if (first !== undefined) throw bundleError(bundle.folder, [first, ...more]);
  const serving = await serveBundle(bundle, host, Number(port)).catch((cause: unknown) => {
    throw new DelosError(
      'ERR_PORT_TAKEN',
      `${options.listen} cannot be listened on: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        hint: 'name another port by --listen',
        cause,
      },
    );
  });
  context.result(
    { url: serving.url, index: bundle.digest },
    `${serving.url} serves the bundle until this command is stopped:\n\n  pip install --index-url ${serving.url}/simple/ apolo-cli\n  crane pull ${serving.url.slice(7)}/REPOSITORY:TAG image.tar`,
  );
  if (!signal.aborted) await once(signal, 'abort');
  await serving.close();
}
