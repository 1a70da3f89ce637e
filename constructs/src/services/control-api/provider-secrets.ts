import { type IdentityProviders, providerSecret, providersOf } from '@delos/core';
import type { k8s } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { SecretFolder } from '../../base/external/secret-references.ts';
import type { Mount } from '../../base/mount.ts';
import type { Namespace } from '../../base/namespace.ts';
import { env } from '../../base/secret-folder.ts';

const FOLDER = '/etc/delos-providers';

/** What Keycloak shows each identity provider, as files of a Pod that keeps the realm. */
export class ProviderSecrets {
  readonly #folder: SecretFolder;
  readonly #names: readonly string[];

  constructor(scope: Construct, props: { readonly namespace: Namespace; readonly providers: IdentityProviders }) {
    const references = providersOf(props.providers).flatMap((provider) => {
      const reference = providerSecret(provider);
      return reference === undefined ? [] : [[provider.settings.name, reference] as const];
    });
    this.#names = references.map(([name]) => name);
    this.#folder = new SecretFolder(scope, {
      namespace: props.namespace,
      prefix: 'identity-provider',
      folder: FOLDER,
      references,
    });
  }

  /** Names the files. No value of theirs is in it. */
  env(): readonly k8s.EnvVar[] {
    if (this.#names.length === 0) return [];
    return [env('DELOS_PROVIDER_FILES', this.#names.map((name) => `${name}=${this.#folder.fileOf(name)}`).join(','))];
  }

  mounts(): readonly Mount[] {
    return this.#folder.mounts();
  }
}
