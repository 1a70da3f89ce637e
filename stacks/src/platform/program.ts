import { synthesize } from '@delos/constructs';
import { ClusterProvider, register } from '../bridge/register.ts';
import { certificateAuthority } from '../secrets/certificates.ts';
import { completeSecrets, EMPTY_STORE, type SecretStore, secretStore } from '../secrets/store.ts';
import type { PlatformSettings } from './settings.ts';

/** Where a stack's secrets are kept between runs. */
export interface SecretKeeper {
  /** As kept last; undefined at the first run. */
  readonly kept: string | undefined;
  /** Keeps them, encrypted. Not called in a preview. */
  keep(secrets: string): Promise<void>;
}

/** The platform: every object of the constructs as a resource of its own, Secrets filled in. */
export async function platformProgram(
  settings: PlatformSettings,
  keeper: SecretKeeper,
  options: { readonly preview: boolean },
): Promise<void> {
  const synthesis = synthesize(settings.config, settings.context);
  const before = parseStore(keeper.kept);
  const { store, changed, values } = await completeSecrets(synthesis.objects, before, certificateAuthority, new Date());
  // Kept before the first use: a run that is killed next finds the same values again.
  if (changed && !options.preview) await keeper.keep(JSON.stringify(store));
  const provider = new ClusterProvider('cluster', settings.cluster);
  register(synthesis, { provider, secrets: values });
}

function parseStore(kept: string | undefined): SecretStore {
  return kept === undefined ? EMPTY_STORE : secretStore.parse(JSON.parse(kept));
}
