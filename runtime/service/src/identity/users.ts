import { DelosError, type IdentitySpec } from '@delos/core';
import { z } from 'zod';
import type { Accounts } from '../db/users.ts';
import { holds } from './converge.ts';
import type { KeycloakAdmin } from './keycloak-admin.ts';
import { providerName } from './providers/people.ts';
import { CONFIGURED_GROUP, OPERATOR_ALIAS } from './realm.ts';

const user = z.looseObject({
  id: z.string(),
  username: z.string(),
  email: z.string().optional(),
  enabled: z.boolean().default(true),
  federationLink: z.string().optional(),
});
const group = z.looseObject({ id: z.string(), name: z.string() });
const profile = z.looseObject({ attributes: z.array(z.looseObject({ name: z.string() })) });
const link = z.looseObject({ identityProvider: z.string(), userId: z.string().optional() });
/** Keycloak's answers come in pages; more configured users than this are read in several. */
const PAGE = 200;

/** A person is a name and an e-mail address here; Keycloak would ask each for first and last name at login. */
export async function convergeUserProfile(admin: KeycloakAdmin, realm: string): Promise<readonly string[]> {
  const actual = await admin.get(profile, `${realm}/users/profile`);
  const optional = (name: string): boolean => name === 'firstName' || name === 'lastName';
  if (!actual.attributes.some((attribute) => optional(attribute.name) && 'required' in attribute)) return [];
  const attributes = actual.attributes.map((attribute) => {
    if (!optional(attribute.name)) return attribute;
    const { required: _, ...rest } = attribute;
    return rest;
  });
  await admin.put(`${realm}/users/profile`, { ...actual, attributes });
  return ['first and last name made optional'];
}

/**
 * Users that the configuration names are there and may log in. An account that it no longer names is deleted, with its
 * sessions and offline tokens: who is given the name later gets another account.
 */
export async function convergeUsers(
  admin: KeycloakAdmin,
  realm: string,
  spec: IdentitySpec,
  passwords: Readonly<Record<string, string>>,
  accounts: Accounts,
): Promise<readonly string[]> {
  const groupId = await groupOf(admin, realm);
  const known = await accounts.known();
  const own = await accounts.own();
  const names = new Set(spec.users.map(({ username }) => username));
  const members = await membersOf(admin, realm, groupId);
  const former = members.filter((member) => !names.has(member.username) || isFormer(member, known));
  const changes: string[] = [];
  // First, since a new user may have the e-mail address of a former one.
  for (const { id, username } of former) {
    await admin.delete(`${realm}/users/${id}`);
    changes.push(`account of the former user ${username} deleted`);
  }
  for (const { username, email } of spec.users) {
    let found = await accountOf(admin, realm, username, own.get(username));
    // A name of delos.yaml is nobody else's: whom a provider brought under it goes.
    if (found !== undefined && !members.some((member) => member.id === found?.id)) {
      const provider = await providerName(admin, realm, found);
      if (provider !== undefined) {
        await admin.delete(`${realm}/users/${found.id}`);
        changes.push(`account ${username} of ${provider} deleted: delos.yaml has a user of this name`);
        found = undefined;
      }
    }
    if (found === undefined) {
      const password = passwords[username];
      if (password === undefined) {
        throw new DelosError('ERR_CONFIG_VALUE', `no password was given for user ${username}`, {
          hint: 'the Secret identity-passwords has a key for each user of the configuration',
        });
      }
      const made = await admin.create(`${realm}/users`, {
        username,
        email,
        emailVerified: true,
        enabled: true,
        groups: [`/${CONFIGURED_GROUP}`],
        credentials: [{ type: 'password', value: password, temporary: false }],
      });
      if (made) changes.push(`user ${username} made`);
      else await refuseProviders(admin, realm, username);
    } else if (!holds(found, { email, enabled: true })) {
      await admin.put(`${realm}/users/${found.id}`, { ...found, email, emailVerified: true, enabled: true });
      changes.push(`user ${username} changed`);
    }
    const { id } = found ?? (await requireUser(admin, realm, username));
    if (!members.some((member) => member.id === id)) await admin.put(`${realm}/users/${id}/groups/${groupId}`);
    await linkOperator(admin, realm, id, username);
    await accounts.bind(username, id);
  }
  return changes;
}

/**
 * The name is in the configuration, and yet the account is a former user's: it was removed and the name given again
 * before the account was deleted. Earlier releases disabled such accounts and wrote nothing down.
 */
function isFormer({ id, enabled }: z.infer<typeof user>, known: Awaited<ReturnType<Accounts['known']>>): boolean {
  return known.get(id) === 'removed' || (!enabled && !known.has(id));
}

/** Lets the operator's assertions speak for this user. */
async function linkOperator(admin: KeycloakAdmin, realm: string, id: string, username: string): Promise<void> {
  const path = `${realm}/users/${id}/federated-identity`;
  const links = await admin.get(z.array(link), path);
  if (links.some(({ identityProvider }) => identityProvider === OPERATOR_ALIAS)) return;
  await admin.create(`${path}/${OPERATOR_ALIAS}`, { userId: username, userName: username });
}

async function groupOf(admin: KeycloakAdmin, realm: string): Promise<string> {
  const find = async () =>
    (await admin.get(z.array(group), `${realm}/groups?exact=true&search=${CONFIGURED_GROUP}`)).find(
      ({ name }) => name === CONFIGURED_GROUP,
    );
  const found = await find();
  if (found !== undefined) return found.id;
  await admin.create(`${realm}/groups`, { name: CONFIGURED_GROUP });
  const made = await find();
  if (made === undefined) throw new DelosError('ERR_INTERNAL', `Keycloak does not show the group ${CONFIGURED_GROUP}`);
  return made.id;
}

async function membersOf(
  admin: KeycloakAdmin,
  realm: string,
  groupId: string,
): Promise<readonly z.infer<typeof user>[]> {
  const found: z.infer<typeof user>[] = [];
  for (;;) {
    const page = await admin.get(
      z.array(user),
      `${realm}/groups/${groupId}/members?briefRepresentation=false&first=${found.length}&max=${PAGE}`,
    );
    found.push(...page);
    if (page.length < PAGE) return found;
  }
}

/** Keycloak makes no account of a name that a directory has, and shows that one's instead. It is never taken for ours. */
async function refuseProviders(admin: KeycloakAdmin, realm: string, username: string): Promise<void> {
  const provider = await providerName(admin, realm, await requireUser(admin, realm, username));
  if (provider === undefined) return;
  throw new DelosError('ERR_CONFLICT', `user ${username} of delos.yaml cannot be made: ${provider} has this name`, {
    hint: 'it is left out of the directory as soon as Keycloak takes its new filter',
  });
}

/** By its subject where that is known: for a name Keycloak asks every directory, each of which may be slow. */
async function accountOf(admin: KeycloakAdmin, realm: string, username: string, subject: string | undefined) {
  const found = subject === undefined ? undefined : await admin.tryGet(user, `${realm}/users/${subject}`);
  return found?.username === username ? found : await findUser(admin, realm, username);
}

async function findUser(admin: KeycloakAdmin, realm: string, username: string) {
  const found = await admin.get(z.array(user), `${realm}/users?exact=true&username=${encodeURIComponent(username)}`);
  return found.find((candidate) => candidate.username === username);
}

async function requireUser(admin: KeycloakAdmin, realm: string, username: string): Promise<z.infer<typeof user>> {
  const found = await findUser(admin, realm, username);
  if (found === undefined) throw new DelosError('ERR_INTERNAL', `Keycloak does not show the user ${username}`);
  return found;
}
