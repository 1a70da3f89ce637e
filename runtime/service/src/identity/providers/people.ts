import { type GroupMapping, groupName, isDirectory, PROJECT_ROLES, type ProjectRole, type Provider } from '@delos/core';
import { z } from 'zod';
import type { ProviderPerson } from '../../db/provider-members.ts';
import type { KeycloakAdmin } from '../keycloak-admin.ts';
import { OPERATOR_ALIAS } from '../realm.ts';
import { type Component, directories } from './converge-directory.ts';
import { groupIds, groupPath } from './groups.ts';

/*
 * Who is in which group of a provider. Keycloak asks a directory anew each time. Of a broker it knows what the broker said at
 * the last login.
 */

/** Organizations and their projects. */
export type Projects = readonly { readonly name: string; readonly projects: readonly { readonly name: string }[] }[];

/** People of one group that are looked at. More are left out, and named. */
export const MOST_MEMBERS = 10_000;
const PAGE = 200;

const account = z.looseObject({
  id: z.string(),
  username: z.string(),
  enabled: z.boolean().default(true),
  federationLink: z.string().optional(),
});
type Account = z.infer<typeof account>;
const path = z.looseObject({ path: z.string() });
const link = z.looseObject({ identityProvider: z.string() });

/** What the provider's groups give to everybody in them. Somebody whose account is closed is in none. */
export async function peopleOf(
  admin: KeycloakAdmin,
  realm: string,
  provider: Provider,
  projects: Projects,
): Promise<readonly ProviderPerson[]> {
  const people = new Map<string, { readonly name: string; readonly roles: Map<string, ProjectRole> }>();
  const isOurs = await accountsOf(admin, realm, provider);
  for (const [group, id] of await groupIds(admin, realm, provider)) {
    const members = await pages(admin, `${realm}/groups/${id}/members?briefRepresentation=false`);
    for (const member of members) {
      if (!member.enabled || !isOurs(member)) continue;
      const person = people.get(member.id) ?? { name: member.username, roles: new Map() };
      people.set(member.id, person);
      give(person.roles, mappingsOf(provider, group), projects);
    }
  }
  return [...people].map(([subject, { name, roles }]) => ({ subject, name, roles }));
}

/** The provider that an account is of, with what its groups give; undefined for one of the platform itself, or of nobody. */
export async function personOf(
  admin: KeycloakAdmin,
  realm: string,
  providers: readonly Provider[],
  projects: Projects,
  subject: string,
): Promise<{ readonly provider: Provider; readonly person: ProviderPerson } | undefined> {
  const base = `${realm}/users/${encodeURIComponent(subject)}`;
  const found = await admin.tryGet(account, base);
  // Keycloak shows an account as closed while its directory is away.
  if (found === undefined || !found.enabled) return undefined;
  const name = await providerName(admin, realm, found);
  const provider = providers.find(({ settings }) => settings.name === name);
  if (provider === undefined) return undefined;
  const groups = await admin.get(z.array(path), `${base}/groups?first=0&max=${PAGE}&briefRepresentation=true`);
  const roles = new Map<string, ProjectRole>();
  const paths = new Set(groups.map((group) => group.path));
  for (const mapping of provider.settings.groups) {
    if (paths.has(groupPath(provider.settings.name, groupName(mapping.group)))) give(roles, [mapping], projects);
  }
  return { provider, person: { subject, name: found.username, roles } };
}

/** Name of the provider of an account; undefined for one of the platform itself. */
export async function providerName(
  admin: KeycloakAdmin,
  realm: string,
  found: { readonly id: string; readonly federationLink?: string | undefined },
): Promise<string | undefined> {
  if (found.federationLink !== undefined) {
    return (await directories(admin, realm)).find(({ id }) => id === found.federationLink)?.name;
  }
  const links = await admin.get(z.array(link), `${realm}/users/${found.id}/federated-identity`);
  return links.map(({ identityProvider }) => identityProvider).find((alias) => alias !== OPERATOR_ALIAS);
}

/** Which of these accounts are there no longer. */
export async function goneOf(
  admin: KeycloakAdmin,
  realm: string,
  subjects: readonly string[],
): Promise<readonly string[]> {
  const gone: string[] = [];
  for (const subject of subjects) {
    const found = await admin.tryGet(account, `${realm}/users/${encodeURIComponent(subject)}`);
    if (found === undefined) gone.push(subject);
  }
  return gone;
}

/** Whether an account is the provider's: a group of the realm has whoever somebody put there. */
async function accountsOf(
  admin: KeycloakAdmin,
  realm: string,
  { settings: { name }, ...provider }: Provider,
): Promise<(member: Account) => boolean> {
  if (isDirectory(provider)) {
    const own = (await directories(admin, realm)).find((each) => each.name === name);
    return ({ federationLink }) => own !== undefined && federationLink === own.id;
  }
  const all = await pages(admin, `${realm}/users?idpAlias=${encodeURIComponent(name)}`);
  const ids = new Set(all.map(({ id }) => id));
  return ({ id }) => ids.has(id);
}

async function pages(admin: KeycloakAdmin, query: string): Promise<readonly Account[]> {
  const found: Account[] = [];
  while (found.length < MOST_MEMBERS) {
    const page = await admin.get(z.array(account), `${query}&first=${found.length}&max=${PAGE}`);
    found.push(...page);
    if (page.length < PAGE) break;
  }
  return found;
}

const mappingsOf = ({ settings: { groups } }: Provider, name: string): readonly GroupMapping[] =>
  groups.filter(({ group }) => groupName(group) === name);

/** Of several roles in a project the mightiest holds. */
function give(roles: Map<string, ProjectRole>, mappings: readonly GroupMapping[], projects: Projects): void {
  for (const { organization, project, role } of mappings) {
    const all = projects.find(({ name }) => name === organization)?.projects.map(({ name }) => name) ?? [];
    for (const each of project === undefined ? all : [project]) {
      const key = `${organization}/${each}`;
      const old = roles.get(key);
      if (old === undefined || PROJECT_ROLES.indexOf(role) < PROJECT_ROLES.indexOf(old)) roles.set(key, role);
    }
  }
}

const failure = z.looseObject({ errorMessage: z.string().optional(), error: z.string().optional() });

/** What either of two readings found. Keycloak answers with nobody where a directory falters, and not with an error. */
export function together(one: readonly ProviderPerson[], other: readonly ProviderPerson[]): readonly ProviderPerson[] {
  const all = new Map(one.map((person) => [person.subject, person]));
  for (const person of other) {
    const roles = new Map(all.get(person.subject)?.roles);
    for (const [project, role] of person.roles) {
      const old = roles.get(project);
      if (old === undefined || PROJECT_ROLES.indexOf(role) < PROJECT_ROLES.indexOf(old)) roles.set(project, role);
    }
    all.set(person.subject, { ...person, roles });
  }
  return [...all.values()];
}

/** Why a directory cannot be asked, in words; undefined where it can. Keycloak asks it, with the password that it has. */
export async function directoryFault(
  admin: KeycloakAdmin,
  realm: string,
  found: Component,
): Promise<string | undefined> {
  const of = (key: string): string => found.config[key]?.[0] ?? '';
  const ask = (action: 'testConnection' | 'testAuthentication') =>
    admin.answer('POST', `${realm}/testLDAPConnection`, {
      action,
      connectionUrl: of('connectionUrl'),
      startTls: of('startTls'),
      useTruststoreSpi: of('useTruststoreSpi'),
      authType: of('authType'),
      bindDn: of('bindDn'),
      bindCredential: of('bindCredential'),
      connectionTimeout: of('connectionTimeout'),
      componentId: found.id,
    });
  const reached = await ask('testConnection');
  if (!reached.ok) return `${of('connectionUrl')} does not answer (${await words(reached)})`;
  if (of('authType') !== 'simple') return undefined;
  const entered = await ask('testAuthentication');
  return entered.ok
    ? undefined
    : `${of('connectionUrl')} does not take the password of ${of('bindDn')} (${await words(entered)})`;
}

async function words(response: Response): Promise<string> {
  const parsed = failure.safeParse(await response.json().catch(() => undefined));
  return parsed.data?.errorMessage ?? parsed.data?.error ?? String(response.status);
}
