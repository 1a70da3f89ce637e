import { statSync } from 'node:fs';
import { join } from 'node:path';
import { hexOf } from '../format/digest.ts';
import type { Fault } from '../format/fault.ts';
import { PACKS_FOLDER } from '../format/index-schema.ts';
import { packFile } from '../format/tar.ts';
import type { OpenBundle } from '../read/open.ts';
import { verifyPacks } from '../read/verify.ts';
import { Journal } from './journal.ts';

/** The journal of a bundle's import at a site. */
export const journalOf = (site: string, bundle: OpenBundle): Journal =>
  new Journal(join(site, 'journal', `${hexOf(bundle.digest)}.jsonl`));

/**
 * Verifies a bundle before it is imported, unless the journal says that each of its packs was read and was right, and has the same
 * size and time since. The registry compares every blob again.
 */
export async function verifyOnce(
  bundle: OpenBundle,
  journal: Journal,
  options: { readonly onProgress?: (done: number, pack: string) => void; readonly signal?: AbortSignal } = {},
): Promise<readonly Fault[]> {
  const marks = (): readonly {
    readonly pack: OpenBundle['index']['packs'][number];
    readonly size: number;
    readonly changed: number;
  }[] =>
    bundle.index.packs.flatMap((pack) => {
      const found = statSync(join(bundle.folder, PACKS_FOLDER, packFile(pack.digest)), { throwIfNoEntry: false });
      return found === undefined ? [] : [{ pack, size: found.size, changed: found.mtimeMs }];
    });
  const before = marks();
  const known = before.every(({ pack, size, changed }) => journal.isVerified(pack.digest, size, changed));
  if (known && before.length === bundle.index.packs.length) return [];
  const { faults } = await verifyPacks(bundle, options);
  if (faults.length > 0) return faults;
  for (const { pack, size, changed } of before) journal.write({ verified: pack.digest, size, changed });
  return [];
}
