import {
  bundleError,
  importBundle,
  journalOf,
  planImport,
  preflight,
  recordVersion,
  repositoriesOf,
  verifyOnce,
  versionsOf,
} from '@delos/airgap';
import type { CommandContext } from '../../context.ts';
import { Phases } from '../../phases.ts';
import { faultTold } from './fault-told.ts';
import { opened, type TrustOptions } from './opened.ts';
import { type RegistryOptions, registryOf, siteOf } from './site.ts';
import { mebibytes, paced } from './words.ts';

export interface ImportOptions extends TrustOptions, RegistryOptions {
  readonly site?: string;
  readonly store?: string;
  readonly parallel: number;
  readonly plan: boolean;
}

/** Verifies a bundle, looks whether it can be imported, and sends what the site's registry lacks of it. */
export async function run(context: CommandContext, folder: string, options: ImportOptions): Promise<void> {
  const { progress, signal } = context;
  const bundle = await opened(folder, options);
  const { index, digest } = bundle;
  const site = siteOf(context, options.site);
  const registry = registryOf(options);
  const journal = journalOf(site, bundle);
  const phases = new Phases(progress, signal);
  try {
    const total = index.packs.reduce((sum, { size }) => sum + size, 0);
    const faults = await phases.run('verify', () =>
      faultTold(bundle.folder, () => verifyOnce(bundle, journal, { signal, onProgress: paced(progress, total) })),
    );
    const [first, ...more] = faults;
    if (first !== undefined) throw bundleError(bundle.folder, [first, ...more]);
    const plan = planImport(index, repositoriesOf(versionsOf(site)));
    const looked = await phases.run('preflight', () =>
      preflight(index, plan, registry, {
        signal,
        ...(options.store === undefined ? {} : { store: options.store }),
        onBase: (done, of) => progress.step(`reading back blob ${done + 1} of ${of} that it builds on`),
      }),
    );
    if ('faults' in looked) {
      const [lack, ...others] = looked.faults;
      if (lack !== undefined) throw bundleError(bundle.folder, [lack, ...others]);
      return;
    }
    const { lacking, bytes, needed, free } = looked;
    const room =
      free === null
        ? 'room was not looked at: no --store was given'
        : `${mebibytes(needed)} needed, ${mebibytes(free)} free`;
    const words = `${lacking.length} of ${plan.uploads.length} blobs lack at ${registry.url}, ${mebibytes(bytes)}; ${room}`;
    if (options.plan) {
      return context.result(
        { index: digest, lacking: lacking.length, bytes, needed, free, imported: false },
        `${words}. Nothing was changed.`,
      );
    }
    progress.step(words);
    const done = await phases.run('import', () =>
      importBundle(bundle, plan, {
        registry,
        journal,
        signal,
        parallel: options.parallel,
        onProgress: paced(progress, bytes),
      }),
    );
    recordVersion(site, { digest, index, at: new Date().toISOString(), registry: registry.url });
    journal.remove();
    context.result(
      { index: digest, release: index.release, ...done, imported: true, phases: phases.done },
      `${index.items.length} items are at ${registry.url}: ${done.uploads} blobs sent (${mebibytes(done.bytes)}), ${done.mounts} taken over, ${done.manifests} manifests named.`,
    );
  } finally {
    journal.close();
    await registry.close();
  }
}
