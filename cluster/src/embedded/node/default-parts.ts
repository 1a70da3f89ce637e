import { join } from 'node:path';
import type { InstancePaths } from '@delos/core';
import { ensureImages } from '../../images/index.ts';
import { ensureOsPackages, resolveTool } from '../../toolchain/index.ts';
import type { AddonImage } from '../addon-images.ts';
import type { EmbeddedParts } from '../prepare.ts';

const ROOT = join(import.meta.dirname, '../../../..');

/** The engine with the pinned toolchain, and with add-ons that this machine builds: it comes up without any registry. */
export function defaultParts(paths: InstancePaths): EmbeddedParts {
  return {
    resolveTool,
    ensureOsPackages: (progress) => ensureOsPackages('node', progress),
    async ensureImages(names, progress) {
      const references = await ensureImages({ names, root: ROOT, paths, source: 'local', standIns: false }, progress);
      // One reference for each of the names asked for is what ensureImages gives.
      return references as Readonly<Record<AddonImage, string>>;
    },
  };
}
