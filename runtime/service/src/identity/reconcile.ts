import type { IdentitySpec } from '@delos/core';
import { z } from 'zod';
import type { Accounts } from '../db/users.ts';
import { closeBuiltInClients, MASTER_REALM } from './built-in-clients.ts';
import { holds, type Json, merged } from './converge.ts';
import { issuerClientSecret, issuerKey } from './issuer-key.ts';
import type { KeycloakAdmin } from './keycloak-admin.ts';
import { convergeProviders, type ProviderSecrets, type ProvidersOutcome } from './providers/converge-providers.ts';
import {
  CLAIMS_SCOPE,
  CLIENT_SCOPES,
  claimsScope,
  cliClient,
  issuerClient,
  LOGIN_ATTRIBUTE,
  loginClients,
  OPERATOR_ALIAS,
  operatorProvider,
  realmRepresentation,
} from './realm.ts';
import { convergeUserProfile, convergeUsers } from './users.ts';

export interface IdentitySecrets {
  /** What the issuer's client secret and key are made of. */
  readonly issuer: string;
  /** User name → first password. */
  readonly passwords: Readonly<Record<string, string>>;
}

const named = z.looseObject({ id: z.string(), name: z.string() });
const record = z.record(z.string(), z.unknown());
const client = z.looseObject({
  id: z.string(),
  clientId: z.string(),
  attributes: z.record(z.string(), z.unknown()).optional(),
});

/**
 * Makes the realm what the specification says, whatever it is now; a second run changes nothing. Killed at any point,
 * the next run completes it. People and other identity providers are not part of it.
 *
 * @returns what was changed, in words; empty where all was so already
 */
export async function convergeRealm(
  admin: KeycloakAdmin,
  spec: IdentitySpec,
  { issuer }: Pick<IdentitySecrets, 'issuer'>,
): Promise<readonly string[]> {
  const changes: string[] = [];
  const realm = `/realms/${spec.realm}`;
  const desired = realmRepresentation(spec);
  const actual = await admin.tryGet(record, realm);
  if (actual === undefined) {
    if (await admin.create('/realms', desired)) changes.push(`realm ${spec.realm} made`);
  } else if (!holds(actual, desired)) {
    await admin.put(realm, desired);
    changes.push(`realm ${spec.realm} changed`);
  }
  changes.push(...(await convergeScope(admin, realm, spec)));
  changes.push(...(await convergeProvider(admin, realm, issuerKey(issuer).publicKey)));
  changes.push(...(await convergeClient(admin, realm, cliClient(spec))));
  changes.push(...(await convergeLogins(admin, realm, spec)));
  changes.push(...(await convergeClient(admin, realm, issuerClient(issuerClientSecret(issuer)))));
  for (const each of [realm, MASTER_REALM]) changes.push(...(await closeBuiltInClients(admin, each)));
  changes.push(...(await convergeUserProfile(admin, realm)));
  return changes;
}

/**
 * The realm with its own people. Passwords are set when a user is made and never after: they are the user's own from
 * then. Each user's account is told to `accounts`, by which their tokens are known.
 *
 * @returns what was changed, in words; empty where all was so already
 */
export async function convergeIdentity(
  admin: KeycloakAdmin,
  spec: IdentitySpec,
  secrets: IdentitySecrets,
  accounts: Accounts,
): Promise<readonly string[]> {
  return [
    ...(await convergeRealm(admin, spec, secrets)),
    ...(await convergeUsers(admin, `/realms/${spec.realm}`, spec, secrets.passwords, accounts)),
  ];
}

/** What a convergence with other identity providers did. */
export interface WholeOutcome extends ProvidersOutcome {
  /** Why the realm's own people could not be looked after; a provider was in the way. */
  readonly people?: unknown;
}

/**
 * The realm with its own people and with other identity providers. A directory that is set up wrongly makes Keycloak fail
 * at every search for a name, and one that has a new user's name keeps it until its filter leaves it out. So people come
 * first, and once more after the providers, where a provider was in the way.
 */
export async function convergeWhole(
  admin: KeycloakAdmin,
  spec: IdentitySpec,
  secrets: IdentitySecrets,
  ofProviders: ProviderSecrets,
  accounts: Accounts,
): Promise<WholeOutcome> {
  const changes: string[] = [...(await convergeRealm(admin, spec, secrets))];
  const people = () => convergeUsers(admin, `/realms/${spec.realm}`, spec, secrets.passwords, accounts);
  const first = await attempt(people);
  const theirs = await convergeProviders(admin, spec, ofProviders);
  const second = first.failed ? await attempt(people) : first;
  changes.push(...theirs.changes, ...(second.value ?? []));
  return { changes, problems: theirs.problems, ...(second.failed ? { people: second.error } : {}) };
}

async function attempt<T>(
  body: () => Promise<T>,
): Promise<{ readonly failed: boolean; readonly value?: T; readonly error?: unknown }> {
  try {
    return { failed: false, value: await body() };
  } catch (error) {
    return { failed: true, error };
  }
}

async function convergeScope(admin: KeycloakAdmin, realm: string, spec: IdentitySpec): Promise<readonly string[]> {
  const { protocolMappers, ...desired } = claimsScope(spec);
  const find = async () =>
    (await admin.get(z.array(named), `${realm}/client-scopes`)).find(({ name }) => name === CLAIMS_SCOPE);
  const found = await find();
  if (found === undefined) {
    const made = await admin.create(`${realm}/client-scopes`, { ...desired, protocolMappers });
    return made ? [`client scope ${CLAIMS_SCOPE} made`] : await convergeScope(admin, realm, spec);
  }
  const changes: string[] = [];
  const path = `${realm}/client-scopes/${found.id}`;
  if (!holds(found, desired)) {
    await admin.put(path, merged(found, desired));
    changes.push(`client scope ${CLAIMS_SCOPE} changed`);
  }
  const mappers = await admin.get(z.array(named), `${path}/protocol-mappers/models`);
  for (const mapper of z.array(z.looseObject({ name: z.string() })).parse(protocolMappers)) {
    const old = mappers.find(({ name }) => name === mapper.name);
    if (old === undefined) await admin.create(`${path}/protocol-mappers/models`, mapper);
    else if (holds(old, mapper as Json)) continue;
    else
      await admin.put(
        `${path}/protocol-mappers/models/${old.id}`,
        merged(old, mapper as Readonly<Record<string, Json>>),
      );
    changes.push(`claim ${mapper.name} changed`);
  }
  return changes;
}

async function convergeProvider(admin: KeycloakAdmin, realm: string, publicKey: string): Promise<readonly string[]> {
  const desired = operatorProvider(publicKey);
  const path = `${realm}/identity-provider/instances/${OPERATOR_ALIAS}`;
  const actual = await admin.tryGet(record, path);
  if (actual === undefined) {
    const made = await admin.create(`${realm}/identity-provider/instances`, desired);
    return made ? ['issuer of tokens made'] : [];
  }
  if (holds(actual, desired)) return [];
  await admin.put(path, merged(actual, desired));
  return ['issuer of tokens changed'];
}

/** Clients of services that people log in to: those of services that are no more go. */
async function convergeLogins(admin: KeycloakAdmin, realm: string, spec: IdentitySpec): Promise<readonly string[]> {
  const changes: string[] = [];
  for (const desired of loginClients(spec)) changes.push(...(await convergeClient(admin, realm, desired)));
  const all = await admin.get(z.array(client), `${realm}/clients`);
  for (const { id, clientId, attributes } of all) {
    if (attributes?.[LOGIN_ATTRIBUTE] !== 'true' || spec.logins.some((login) => login.id === clientId)) continue;
    await admin.delete(`${realm}/clients/${id}`);
    changes.push(`client ${clientId} removed`);
  }
  return changes;
}

async function convergeClient(
  admin: KeycloakAdmin,
  realm: string,
  desired: Readonly<Record<string, Json | undefined>>,
): Promise<readonly string[]> {
  const clientId = String(desired.clientId);
  const find = async () =>
    (await admin.get(z.array(client), `${realm}/clients?clientId=${encodeURIComponent(clientId)}`))[0];
  const found = await find();
  if (found === undefined) {
    const body = {
      ...desired,
      defaultClientScopes: CLIENT_SCOPES.default,
      optionalClientScopes: CLIENT_SCOPES.optional,
    };
    if (await admin.create(`${realm}/clients`, body)) return [`client ${clientId} made`];
    return await convergeClient(admin, realm, desired);
  }
  const changes: string[] = [];
  const path = `${realm}/clients/${found.id}`;
  if (!holds(found, desired)) {
    await admin.put(path, merged(found, desired));
    changes.push(`client ${clientId} changed`);
  }
  changes.push(...(await convergeClientScopes(admin, realm, path, clientId)));
  return changes;
}

async function convergeClientScopes(
  admin: KeycloakAdmin,
  realm: string,
  path: string,
  clientId: string,
): Promise<readonly string[]> {
  const changes: string[] = [];
  const all = await admin.get(z.array(named), `${realm}/client-scopes`);
  for (const kind of ['default', 'optional'] as const) {
    const wanted: readonly string[] = CLIENT_SCOPES[kind];
    const assigned = await admin.get(z.array(named), `${path}/${kind}-client-scopes`);
    for (const { id, name } of assigned) {
      if (wanted.includes(name)) continue;
      await admin.delete(`${path}/${kind}-client-scopes/${id}`);
      changes.push(`client ${clientId} lost scope ${name}`);
    }
    for (const name of wanted) {
      if (assigned.some((scope) => scope.name === name)) continue;
      const scope = all.find((candidate) => candidate.name === name);
      if (scope === undefined) continue;
      await admin.put(`${path}/${kind}-client-scopes/${scope.id}`);
      changes.push(`client ${clientId} got scope ${name}`);
    }
  }
  return changes;
}
