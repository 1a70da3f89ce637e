import { OPERATOR_CLIENT } from '@delos/core';
import { z } from 'zod';
import { holds, type Json, merged } from './converge.ts';
import type { KeycloakAdmin } from './keycloak-admin.ts';

/*
 * Clients that Keycloak makes with each realm. Nobody here uses them, and some would trade a password for a token.
 * Keycloak keeps roles of its own in most of them, so they are closed and not deleted. Those that hold the rights of
 * administration (realm-management, NAME-realm) it lets nobody change; they are bearer-only, and no way to a token.
 */

export const MASTER_REALM = '/realms/master';

/** No way from this client to a token. */
const NO_GRANTS: Readonly<Record<string, Json>> = {
  standardFlowEnabled: false,
  implicitFlowEnabled: false,
  directAccessGrantsEnabled: false,
  serviceAccountsEnabled: false,
};

const CLOSED: Readonly<Record<string, Json>> = { ...NO_GRANTS, enabled: false };

const BUILT_IN = ['account', 'account-console', 'admin-cli', 'broker', 'security-admin-console'];

/** The client that this very reconciliation signs in as: by its own secret, and in no other way. */
const OPERATOR: Readonly<Record<string, Json>> = { ...NO_GRANTS, serviceAccountsEnabled: true };

const client = z.looseObject({ id: z.string(), clientId: z.string() });

/** @returns what was changed, in words */
export async function closeBuiltInClients(admin: KeycloakAdmin, realm: string): Promise<readonly string[]> {
  const changes: string[] = [];
  const name = realm.slice('/realms/'.length);
  for (const found of await admin.get(z.array(client), `${realm}/clients`)) {
    const desired = shapeOf(realm, found.clientId);
    if (desired === undefined) continue;
    const secret = desired === OPERATOR ? admin.untold : undefined;
    const open = !holds(found, desired);
    if (!open && secret === undefined) continue;
    await admin.put(
      `${realm}/clients/${found.id}`,
      merged(found, secret === undefined ? desired : { ...desired, secret }),
    );
    if (open) changes.push(`client ${found.clientId} of ${name} closed`);
    if (secret !== undefined) changes.push(`client ${found.clientId} of ${name} got another secret`);
  }
  return changes;
}

function shapeOf(realm: string, clientId: string): Readonly<Record<string, Json>> | undefined {
  if (BUILT_IN.includes(clientId)) return CLOSED;
  return realm === MASTER_REALM && clientId === OPERATOR_CLIENT ? OPERATOR : undefined;
}
