import { groupName, type Provider } from '@delos/core';
import { z } from 'zod';
import type { KeycloakAdmin } from '../keycloak-admin.ts';
import { CONFIGURED_GROUP } from '../realm.ts';

/*
 * Groups of the realm. Each provider has one, and below it one for each of its own groups that delos.yaml names. Whoever
 * is in one of these has what delos.yaml says.
 */

const group = z.looseObject({ id: z.string(), name: z.string() });
/** More than providers and their groups can be. */
const MOST = 1000;

/** A group's name as Keycloak keeps it: a slash would be a step of its path. */
const keptName = (name: string): string => name.replaceAll('/', '∕');
/** Path of the group that stands for a provider's. */
export const groupPath = (provider: string, name: string): string => `/${provider}/${keptName(name)}`;

/** The provider's groups, by their names at the provider. */
export const groupNames = ({ settings: { groups } }: Provider): readonly string[] => [
  ...new Set(groups.map(({ group: name }) => groupName(name))),
];

/** Makes the groups of these providers, and removes all that are nobody's. @returns what was changed, in words */
export async function convergeGroups(
  admin: KeycloakAdmin,
  realm: string,
  providers: readonly Provider[],
): Promise<readonly string[]> {
  const changes: string[] = [];
  const wanted = new Map(providers.map((provider) => [provider.settings.name, groupNames(provider).map(keptName)]));
  const listed = (path: string) =>
    admin.get(z.array(group), `${realm}${path}?first=0&max=${MOST}&briefRepresentation=true`);
  for (const { id, name } of await listed('/groups')) {
    if (name === CONFIGURED_GROUP || wanted.has(name)) continue;
    await admin.delete(`${realm}/groups/${id}`);
    changes.push(`group ${name} removed`);
  }
  for (const [provider, names] of wanted) {
    if (!(await listed('/groups')).some(({ name }) => name === provider)) {
      if (await admin.create(`${realm}/groups`, { name: provider })) changes.push(`group ${provider} made`);
    }
    const parent = (await listed('/groups')).find(({ name }) => name === provider);
    if (parent === undefined) continue;
    const children = await listed(`/groups/${parent.id}/children`);
    for (const { id, name } of children) {
      if (names.includes(name)) continue;
      await admin.delete(`${realm}/groups/${id}`);
      changes.push(`group ${provider}/${name} removed`);
    }
    for (const name of names) {
      if (children.some((child) => child.name === name)) continue;
      if (await admin.create(`${realm}/groups/${parent.id}/children`, { name }))
        changes.push(`group ${provider}/${name} made`);
    }
  }
  return changes;
}

/** Ids of a provider's groups, by their names at the provider. */
export async function groupIds(
  admin: KeycloakAdmin,
  realm: string,
  provider: Provider,
): Promise<ReadonlyMap<string, string>> {
  const top = await admin.get(z.array(group), `${realm}/groups?first=0&max=${MOST}&briefRepresentation=true`);
  const parent = top.find(({ name }) => name === provider.settings.name);
  if (parent === undefined) return new Map();
  const children = await admin.get(
    z.array(group),
    `${realm}/groups/${parent.id}/children?first=0&max=${MOST}&briefRepresentation=true`,
  );
  return new Map(
    groupNames(provider).flatMap((name) => {
      const found = children.find((child) => child.name === keptName(name));
      return found === undefined ? [] : [[name, found.id]];
    }),
  );
}
