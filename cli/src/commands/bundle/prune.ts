import { planPrune, prune, versionsOf } from '@delos/airgap';
import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { type RegistryOptions, registryOf, siteOf } from './site.ts';
import { mebibytes } from './words.ts';

export interface PruneOptions extends RegistryOptions {
  readonly site?: string;
  readonly keep: number;
  readonly apply: boolean;
}

/** Says what goes when only the latest bundles stay; with --apply, removes it. */
export async function run(context: CommandContext, options: PruneOptions): Promise<void> {
  const site = siteOf(context, options.site);
  const registry = registryOf(options);
  try {
    const versions = versionsOf(site);
    const elsewhere = versions.find((version) => version.registry !== registry.url);
    if (elsewhere !== undefined) {
      throw new DelosError(
        'ERR_USAGE',
        `bundle ${elsewhere.digest.slice(0, 19)} was imported into ${elsewhere.registry}, not ${registry.url}`,
        {
          hint: 'name the registry that bundles of this site were imported into',
        },
      );
    }
    const plan = planPrune(versions, options.keep);
    const document = {
      keep: plan.keep.map(({ digest, at }) => ({ digest, at })),
      remove: plan.remove.map(({ digest, at }) => ({ digest, at })),
      ...{ manifests: plan.manifests.length, blobs: plan.blobs, bytes: plan.bytes },
    };
    const words = `${plan.remove.length} of ${versions.length} bundles, ${plan.manifests.length} manifests, ${plan.blobs} blobs of ${mebibytes(plan.bytes)} that no other bundle needs`;
    if (!options.apply)
      return context.result({ ...document, applied: false }, `would remove ${words}. --apply does it`);
    const removed = await prune(site, plan, registry, context.signal);
    context.result(
      { ...document, applied: true, removed },
      `removed ${words}. The registry gives their space back with its next collection`,
    );
  } finally {
    await registry.close();
  }
}
