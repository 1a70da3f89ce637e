import { join } from 'node:path';
import { bundleError, journalOf, type OpenBundle, verifyOnce } from '@delos/airgap';
import type { CommandContext } from '../../context.ts';
import { faultTold } from './fault-told.ts';
import { paced } from './words.ts';

/**
 * Reads every byte of a bundle, unless this machine has read it before and each pack has the same size and time since.
 * @throws DelosError ERR_BUNDLE with all that is wrong
 */
export async function readOnce({ paths, progress, signal }: CommandContext, bundle: OpenBundle): Promise<void> {
  const total = bundle.index.packs.reduce((sum, { size }) => sum + size, 0);
  const journal = journalOf(join(paths.cache, 'bundle'), bundle);
  try {
    const faults = await faultTold(bundle.folder, () =>
      verifyOnce(bundle, journal, { signal, onProgress: paced(progress, total) }),
    );
    const [first, ...more] = faults;
    if (first !== undefined) throw bundleError(bundle.folder, [first, ...more]);
  } finally {
    journal.close();
  }
}
