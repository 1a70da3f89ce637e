import { resolve } from 'node:path';
import { inventoryBytes, inventoryOf, versionsOf } from '@delos/airgap';
import { DelosError } from '@delos/core';
import { writeAtomic } from '@delos/host';
import type { CommandContext } from '../../context.ts';
import { siteOf } from './site.ts';
import { mebibytes } from './words.ts';

/** Writes what this site has, for whoever makes its next bundle. */
export async function run(
  context: CommandContext,
  options: { readonly out: string; readonly site?: string },
): Promise<void> {
  const versions = versionsOf(siteOf(context, options.site));
  if (versions.length === 0) {
    throw new DelosError('ERR_NOT_FOUND', 'no bundle was imported here', {
      hint: '`delos bundle import` brings the first, which is a whole one; --site FOLDER says where its record is',
    });
  }
  const inventory = inventoryOf(versions.map(({ index }) => index));
  const bytes = inventoryBytes(inventory);
  const out = resolve(options.out);
  writeAtomic(out, bytes.toString('utf8'), 0o644);
  context.result(
    { file: out, bundles: versions.length, blobs: inventory.blobs.length, bytes: bytes.length },
    `${out}: ${inventory.blobs.length} blobs of ${versions.length} bundles, a file of ${mebibytes(bytes.length)}\n\n  delos bundle create --since ${options.out}`,
  );
}
