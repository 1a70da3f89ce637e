import { bundleError, verifyPacks } from '@delos/airgap';
import type { CommandContext } from '../../context.ts';
import { faultTold } from './fault-told.ts';
import { opened, type TrustOptions } from './opened.ts';
import { mebibytes, paced } from './words.ts';

/** Reads every byte of a bundle once, and changes nothing. */
export async function run(context: CommandContext, folder: string, options: TrustOptions): Promise<void> {
  const { progress, signal } = context;
  const bundle = await opened(folder, options);
  const { index, digest, signers, keysVersion } = bundle;
  const total = index.packs.reduce((sum, { size }) => sum + size, 0);
  const onBytes = paced(progress, total);
  const { faults, bytes } = await faultTold(bundle.folder, () => verifyPacks(bundle, { signal, onProgress: onBytes }));
  const [first, ...more] = faults;
  if (first !== undefined) throw bundleError(bundle.folder, [first, ...more]);
  const base = index.base.length === 0 ? '' : ` It builds on ${index.base.length} blobs that must be at the site.`;
  context.result(
    {
      folder: bundle.folder,
      index: digest,
      release: index.release,
      createdAt: index.createdAt,
      made: index.made,
      ...{
        signers,
        keysVersion,
        items: index.items.length,
        blobs: index.blobs.length,
        packs: index.packs.length,
        bytes,
      },
      base: index.base.length,
    },
    `${bundle.folder} is whole: ${index.packs.length} packs, ${index.blobs.length} blobs, ${mebibytes(bytes)}, signed by ${signers.map((id) => id.slice(0, 12)).join(' and ')}.${base}`,
  );
}
