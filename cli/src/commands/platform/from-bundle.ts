import { lackingIn, type OpenBundle, placeBundle } from '@delos/airgap';
import { tryOsRelease, useLocalMirror } from '@delos/cluster';
import type { DelosConfig } from '@delos/constructs';
import { DelosError } from '@delos/core';
import { goOffline } from '@delos/host';
import type { CommandContext } from '../../context.ts';
import type { Phases } from '../../phases.ts';
import { opened, type TrustOptions } from '../bundle/opened.ts';
import { readOnce } from '../bundle/read-once.ts';

export interface BundleOptions extends TrustOptions {
  readonly bundle?: string;
}

/** The bundle that an installation is from, verified as a phase of it. */
export const judged = (
  phases: Phases,
  context: CommandContext,
  config: DelosConfig,
  options: BundleOptions,
): Promise<OpenBundle> => phases.run('bundle', () => judgeBundle(context, config, options.bundle ?? '', options));

/** Its content, put into the cache as a phase of the installation. @returns the folder of wheels */
export const placed = (phases: Phases, context: CommandContext, bundle: OpenBundle): Promise<string> =>
  phases.run('content', () => bringBundle(context, bundle));

/**
 * Judges a bundle's signature, reads every byte of it, and compares what it lists with what this configuration needs. Changes nothing but
 * the record of packs that were read. From here on nothing is fetched.
 * @throws DelosError ERR_BUNDLE, ERR_BUNDLE_CONTENT naming all that is missing
 */
async function judgeBundle(
  context: CommandContext,
  config: DelosConfig,
  folder: string,
  trust: TrustOptions,
): Promise<OpenBundle> {
  const { paths, root } = context;
  goOffline();
  const bundle = await opened(folder, trust);
  const lacking = await lackingIn(bundle.index, { config, root, paths });
  if (lacking.length > 0) throw lacks(bundle.folder, lacking);
  await readOnce(context, bundle);
  return bundle;
}

/** Puts it into the cache. @returns the folder of wheels, for `pip install --find-links` */
async function bringBundle({ paths, progress, signal }: CommandContext, bundle: OpenBundle): Promise<string> {
  const codename = (await tryOsRelease())?.codename;
  const { wheels, debian } = await placeBundle(bundle, codename, { paths, progress, signal });
  if (debian !== undefined) useLocalMirror(debian);
  return wheels;
}

function lacks(folder: string, lacking: readonly string[]): DelosError {
  const [first = '', ...more] = lacking;
  const others = more.length === 0 ? '' : `, and ${more.length} more`;
  return new DelosError('ERR_BUNDLE_CONTENT', `${folder} lacks ${first}${others}`, {
    hint: 'take the checkout and the delos.yaml that it was made of, or make a bundle of these: `delos bundle create`',
    data: { lacking },
  });
}
