import type { CommandContext } from '../../context.ts';
import { opened, type TrustOptions } from '../bundle/opened.ts';
import { readOnce } from '../bundle/read-once.ts';

const PARTS = ['tools', 'wheels', 'debian'] as const;

/**
 * Judges a bundle, reads every byte of it, and puts into the cache what an auxiliary machine is made of. From here on nothing is fetched.
 * @returns the folder of wheels
 */
export async function fromBundle(context: CommandContext, folder: string, trust: TrustOptions): Promise<string> {
  const { goOffline } = await import('@delos/host');
  const { placeBundle } = await import('@delos/airgap');
  const { tryOsRelease, useLocalMirror } = await import('@delos/cluster');
  const { paths, progress, signal } = context;
  goOffline();
  const bundle = await opened(folder, trust);
  await readOnce(context, bundle);
  const codename = (await tryOsRelease())?.codename;
  const { wheels, debian } = await placeBundle(bundle, codename, { paths, progress, signal, parts: PARTS });
  if (debian !== undefined) useLocalMirror(debian);
  return wheels;
}
