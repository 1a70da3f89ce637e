import {
  bundleError,
  importBundle,
  journalOf,
  planImport,
  preflight,
  Registry,
  recordVersion,
  repositoriesOf,
  sendCharts,
  sendWheels,
  verifyOnce,
  versionsOf,
} from '@delos/airgap';
import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { Phases } from '../../phases.ts';
import { type AuxSite, auxSite } from './aux-site.ts';
import { faultTold } from './fault-told.ts';
import { opened, type TrustOptions } from './opened.ts';
import { type RegistryOptions, registryOf, siteOf } from './site.ts';
import { mebibytes, paced } from './words.ts';

export interface ImportOptions extends TrustOptions, Partial<RegistryOptions> {
  readonly aux?: string;
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
  const aux = options.aux === undefined ? undefined : await auxSite(context, options.aux);
  const registry = registryFor(options, aux);
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
    const service = (what: string) => ({
      registry,
      signal,
      onProgress: (nth: number, of: number, name: string) => progress.step(`${what} ${nth} of ${of}: ${name}`),
    });
    const { packages, charts } = aux ?? {};
    const wheels =
      packages === undefined ? 0 : await phases.run('wheels', () => sendWheels(bundle, packages, service('wheel')));
    const charted =
      charts === undefined ? 0 : await phases.run('charts', () => sendCharts(bundle, charts, service('chart')));
    recordVersion(site, { digest, index, at: new Date().toISOString(), registry: registry.url });
    journal.remove();
    context.result(
      { index: digest, release: index.release, ...done, wheels, charts: charted, imported: true, phases: phases.done },
      `${index.items.length} items are at ${registry.url}: ${done.uploads} blobs sent (${mebibytes(done.bytes)}), ${done.mounts} taken over, ${done.manifests} manifests named${aux === undefined ? '' : `; ${wheels} wheels and ${charted} charts sent to its other services`}.`,
    );
  } finally {
    journal.close();
    await registry.close();
  }
}

/** @throws DelosError ERR_USAGE where neither or both are named */
function registryFor(options: ImportOptions, aux: AuxSite | undefined): Registry {
  const { registry: url, user, passwordFile, authority } = options;
  if (aux !== undefined && [url, user, passwordFile, authority].every((each) => each === undefined)) {
    return new Registry(aux.registry);
  }
  if (aux === undefined && url !== undefined) return registryOf({ ...options, registry: url });
  throw new DelosError('ERR_USAGE', 'expected --registry URL, or --aux FILE, which says all about a registry', {
    hint: '--aux takes the file that `delos aux-vm up` was given',
  });
}
