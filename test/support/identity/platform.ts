import { parseConfig } from '@delos/constructs';
import type { PlatformConfig } from '@delos/core';
import { pino } from 'pino';
import { expect } from 'vitest';
import { realmOf } from '../../../constructs/src/services/keycloak/realm.ts';
import { authenticator } from '../../../runtime/service/src/api/auth.ts';
import { ProviderLogins } from '../../../runtime/service/src/api/provider-logins.ts';
import { applyConfig } from '../../../runtime/service/src/db/apply-config.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { PERSON_SEEN } from '../../../runtime/service/src/db/notifications.ts';
import { wantRealm } from '../../../runtime/service/src/db/realm-wanted.ts';
import { RealmKeeper } from '../../../runtime/service/src/identity/index.ts';
import type { TestKeycloak } from '../service/keycloak.ts';
import { type LoginOptions, login, tokensOf, words } from './login.ts';
import { BIND_PASSWORD, type Slapd } from './slapd.ts';

/** What the suite stands on. */
export interface ProviderParts {
  readonly keycloak: TestKeycloak;
  readonly database: Database;
  readonly slapd: Slapd;
  /** How a service reaches the database. */
  readonly databaseEnv: Readonly<Record<string, string>>;
}

export const ISSUER_SECRET = 'a-secret-of-the-issuer-for-this-test';
export const PASSWORDS = { admin: 'first-password-of-admin', ruth: 'first-password-of-ruth' };

/** How the control API checks tokens of a realm. */
export const tokenSettings = (realmUrl: string) => ({
  issuer: realmUrl,
  jwksUrl: `${realmUrl}/protocol/openid-connect/certs`,
  audience: 'apolo',
  clients: ['apolo', 'delos-issuer'],
  admin: 'admin',
  bindFirstAccount: false,
});

/** Who is what where. */
export const rolesOf = ({ roles }: { readonly roles: ReadonlyMap<string, string> }) => Object.fromEntries(roles);

/** The platform's parts that have to do with logins, as they run. */
export function platformOf(parts: () => Pick<ProviderParts, 'keycloak' | 'database'>) {
  /** A platform that was deployed with this delos.yaml. */
  const deployed = async (text: string, secrets: Readonly<Record<string, string>> = { corp: BIND_PASSWORD }) => {
    const { keycloak, database } = parts();
    const config: PlatformConfig = parseConfig(text, 'delos.yaml');
    const spec = realmOf(config, 'http://127.0.0.1:8080');
    const digest = JSON.stringify(spec).length.toString();
    await database.tx((tx) => applyConfig(tx, config, 'default'));
    await wantRealm(database.db, digest);
    const lines: string[] = [];
    const keeper = new RealmKeeper({
      admin: keycloak.admin,
      database,
      wanted: { spec, digest },
      log: pino({}, { write: (line: string) => void lines.push(line) }),
      secrets: () =>
        Promise.resolve({
          own: { issuer: ISSUER_SECRET, passwords: PASSWORDS },
          of: new Map(Object.entries(secrets)),
          missing: new Map(),
        }),
    });
    const check = authenticator(database.db, {
      ...tokenSettings(realmUrl()),
      providers: new ProviderLogins(database, config.identity),
    });
    await keeper.sweep();
    return { keeper, lines, authenticate: (token: string) => check(`Bearer ${token}`) };
  };
  const realmUrl = (): string => `${parts().keycloak.url}/realms/delos`;
  const tokenOf = async (user: string, password: string, options: LoginOptions = {}): Promise<string> => {
    const { code, verifier, after } = await login(realmUrl(), user, password, options);
    expect(code, words(after)).not.toBe('');
    return (await tokensOf(realmUrl(), code, verifier)).access_token ?? '';
  };
  /** The keeper answers to whom the control API sees, as its service does. */
  const answering = (keeper: RealmKeeper): (() => void) =>
    parts().database.notifications.on(PERSON_SEEN, (subject) => void keeper.look(subject));
  return { deployed, realmUrl, tokenOf, answering };
}
