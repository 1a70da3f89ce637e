import type { DirectoryProvider } from '@delos/core';
import { z } from 'zod';
import type { KeycloakAdmin } from '../keycloak-admin.ts';
import {
  directoryMappers,
  directorySettings,
  type Kind,
  LDAP_MAPPER,
  LEFT_ALONE,
  type Settings,
  USER_STORAGE,
} from './directory-form.ts';

const component = z.looseObject({
  id: z.string(),
  name: z.string(),
  providerId: z.string(),
  config: z.record(z.string(), z.array(z.string().nullable())).default({}),
});
export type Component = z.infer<typeof component>;

/** Directories of the realm, whoever made them. */
export const directories = (admin: KeycloakAdmin, realm: string): Promise<readonly Component[]> =>
  admin.get(z.array(component), `${realm}/components?type=${USER_STORAGE}`);

/**
 * Makes a directory what the configuration says. Keycloak does not ask the directory for this.
 * @param realmId Keycloak's own id of the realm
 * @param taken names that are not seen in it: of the platform's own users
 * @param secret password of `bindDn`; Keycloak shows none, so it is written where `anew` says so or something else changes
 */
export async function convergeDirectory(
  admin: KeycloakAdmin,
  realm: { readonly path: string; readonly id: string },
  { kind, settings }: { readonly kind: Kind; readonly settings: DirectoryProvider },
  { secret = '', anew, taken }: { readonly secret?: string; readonly anew: boolean; readonly taken: readonly string[] },
): Promise<readonly string[]> {
  const { name } = settings;
  const changes: string[] = [];
  const desired = directorySettings(kind, settings, taken);
  const body = {
    name,
    providerId: 'ldap',
    providerType: USER_STORAGE,
    parentId: realm.id,
    config: lists({ ...desired, bindCredential: secret }),
  };
  const find = async () => (await directories(admin, realm.path)).find((each) => each.name === name);
  let found = await find();
  if (found !== undefined && found.providerId !== 'ldap') {
    await admin.delete(`${realm.path}/components/${found.id}`);
    found = undefined;
  }
  if (found === undefined) {
    if (await admin.create(`${realm.path}/components`, body)) changes.push(`directory ${name} made`);
    found = await find();
    if (found === undefined) return changes;
  } else if (anew || !same(found.config, desired)) {
    if (!same(found.config, desired)) changes.push(`directory ${name} changed`);
    await admin.put(`${realm.path}/components/${found.id}`, { ...body, id: found.id });
  }
  changes.push(...(await convergeMappers(admin, realm.path, found, directoryMappers(kind, settings))));
  return changes;
}

async function convergeMappers(
  admin: KeycloakAdmin,
  realm: string,
  { id: parentId, name: directory }: Component,
  desired: ReturnType<typeof directoryMappers>,
): Promise<readonly string[]> {
  const changes: string[] = [];
  const actual = await admin.get(z.array(component), `${realm}/components?parent=${parentId}&type=${LDAP_MAPPER}`);
  for (const { id, name } of actual) {
    if (LEFT_ALONE.includes(name) || desired.some((mapper) => mapper.name === name)) continue;
    await admin.delete(`${realm}/components/${id}`);
    changes.push(`mapper ${name} of ${directory} removed`);
  }
  for (const { name, providerId, config } of desired) {
    const body = { name, providerId, providerType: LDAP_MAPPER, parentId, config: lists(config) };
    const found = actual.find((mapper) => mapper.name === name);
    if (found?.providerId === providerId && same(found.config, config)) continue;
    if (found?.providerId === providerId) {
      await admin.put(`${realm}/components/${found.id}`, { ...body, id: found.id });
    } else {
      if (found !== undefined) await admin.delete(`${realm}/components/${found.id}`);
      await admin.create(`${realm}/components`, body);
    }
    changes.push(`mapper ${name} of ${directory} ${found === undefined ? 'made' : 'changed'}`);
  }
  return changes;
}

const lists = (settings: Settings): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, [value]]));

/** What is not there is empty. */
const same = (actual: Component['config'], desired: Settings): boolean =>
  Object.entries(desired).every(([key, value]) => (actual[key]?.[0] ?? '') === value);
