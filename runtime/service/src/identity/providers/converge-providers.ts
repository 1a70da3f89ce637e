import { type IdentitySpec, isDirectory, type Provider, providersOf } from '@delos/core';
import { z } from 'zod';
import type { KeycloakAdmin } from '../keycloak-admin.ts';
import { brokers, convergeBroker, convergeFirstLogin } from './converge-broker.ts';
import { convergeDirectory, directories } from './converge-directory.ts';
import { convergeGroups } from './groups.ts';

/** What a convergence did. */
export interface ProvidersOutcome {
  readonly changes: readonly string[];
  /** Provider → what is wrong with it, in words. Others are as they shall be. */
  readonly problems: ReadonlyMap<string, string>;
}

export interface ProviderSecrets {
  /** Provider → what Keycloak shows it. */
  readonly of: ReadonlyMap<string, string>;
  /** Writes secrets also where nothing else has changed: Keycloak tells nobody which it has. */
  readonly anew: (provider: string) => boolean;
}

const PAGE = 200;
const user = z.looseObject({ id: z.string() });

/**
 * Makes the realm's providers these and no others, whatever they are now. One that does not answer is left as it is, and
 * named; the others go on. A second run changes nothing.
 */
export async function convergeProviders(
  admin: KeycloakAdmin,
  spec: Pick<IdentitySpec, 'realm' | 'providers' | 'users'>,
  secrets: ProviderSecrets,
): Promise<ProvidersOutcome> {
  const realm = `/realms/${spec.realm}`;
  const all = providersOf(spec.providers);
  const taken = spec.users.map(({ username }) => username);
  const { id } = await admin.get(z.looseObject({ id: z.string() }), realm);
  const changes: string[] = [...(await removeOthers(admin, realm, all))];
  changes.push(...(await convergeGroups(admin, realm, all)));
  if (all.some((provider) => !isDirectory(provider))) changes.push(...(await convergeFirstLogin(admin, realm)));
  const problems = new Map<string, string>();
  for (const provider of all) {
    const { name } = provider.settings;
    const secret = secrets.of.get(name);
    const given = { ...(secret === undefined ? {} : { secret }), anew: secrets.anew(name), taken };
    try {
      changes.push(...(await convergeOne(admin, { path: realm, id }, provider, given)));
    } catch (error) {
      problems.set(name, error instanceof Error ? error.message : String(error));
    }
  }
  return { changes, problems };
}

async function convergeOne(
  admin: KeycloakAdmin,
  realm: { readonly path: string; readonly id: string },
  provider: Provider,
  given: { readonly secret?: string; readonly anew: boolean; readonly taken: readonly string[] },
): Promise<readonly string[]> {
  if (provider.kind === 'ldap' || provider.kind === 'activeDirectory') {
    return convergeDirectory(admin, realm, provider, given);
  }
  return convergeBroker(admin, realm.path, provider, given);
}

/** Providers that delos.yaml does not name go, with the accounts of their users. */
async function removeOthers(admin: KeycloakAdmin, realm: string, all: readonly Provider[]): Promise<readonly string[]> {
  const changes: string[] = [];
  const named = (directory: boolean): readonly string[] =>
    all.filter((provider) => isDirectory(provider) === directory).map(({ settings }) => settings.name);
  for (const { id, name } of await directories(admin, realm)) {
    if (named(true).includes(name)) continue;
    await admin.delete(`${realm}/components/${id}`);
    changes.push(`directory ${name} removed`);
  }
  for (const alias of await brokers(admin, realm)) {
    if (named(false).includes(alias)) continue;
    for (;;) {
      const page = await admin.get(
        z.array(user),
        `${realm}/users?idpAlias=${encodeURIComponent(alias)}&first=0&max=${PAGE}`,
      );
      for (const { id } of page) await admin.delete(`${realm}/users/${id}`);
      if (page.length < PAGE) break;
    }
    await admin.delete(`${realm}/identity-provider/instances/${encodeURIComponent(alias)}`);
    changes.push(`provider ${alias} removed`);
  }
  return changes;
}
