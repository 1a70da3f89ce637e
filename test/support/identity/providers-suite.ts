import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from '@delos/constructs';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { realmOf } from '../../../constructs/src/services/keycloak/realm.ts';
import { login as loginResource } from '../../../runtime/service/src/api/resources/login/index.ts';
import { loginRoute } from '../../../runtime/service/src/api/resources/login/route.ts';
import { isAllowed } from '../../../runtime/service/src/api/rights.ts';
import { wantRealm } from '../../../runtime/service/src/db/realm-wanted.ts';
import { identityService } from '../../../runtime/service/src/identity/index.ts';
import { startService } from '../../../runtime/service/src/service-run.ts';
import { until } from '../until.ts';
import { login, words } from './login.ts';
import { ISSUER_SECRET, PASSWORDS, type ProviderParts, platformOf, rolesOf } from './platform.ts';
import { BASE, BIND_DN, BIND_PASSWORD, changeMembers, userDn } from './slapd.ts';

/** delos.yaml of these tests. @param more further keys of `identity` */
const yaml = (ldap: string, more = ''): string => `
users: [{name: ruth, email: ruth@example.com}, {name: mats, email: mats@corp.example.com, provider: corp}]
organizations:
  - name: lab
    projects:
      - {name: one, members: [{user: mats, role: reader}]}
      - {name: two}
identity:
${ldap}
${more}`;

const corp = (url: string, groups = '', dn = BIND_DN): string => `
  ldap:
    - name: corp
      url: ${url}
      bindDn: "${dn}"
      bindPassword: {file: /never/read}
      timeoutSeconds: 2
      users: {dn: "ou=people,${BASE}"}
      groupsAt: {dn: "ou=groups,${BASE}"}
      groups:
        - {group: ml, organization: lab, project: one}
        - {group: "cn=ops,ou=groups,${BASE}", organization: lab, role: manager}
${groups}`;

/**
 * Identity providers from delos.yaml alone, against a real Keycloak and a real slapd: the keeper of the realm, the
 * control API's check of tokens, and the way of passwords are those that run.
 */
export function providersSuite(parts: () => ProviderParts, { long = false }: { readonly long?: boolean } = {}): void {
  const { deployed, realmUrl, tokenOf, answering } = platformOf(parts);

  describe('a directory of delos.yaml alone: a real slapd over TLS', () => {
    let platform: Awaited<ReturnType<typeof deployed>>;
    let silence: () => void;
    beforeAll(async () => {
      await parts()
        .database.notifications.start()
        .catch(() => undefined);
      platform = await deployed(yaml(corp(parts().slapd.url)));
      silence = answering(platform.keeper);
    });
    afterAll(() => silence?.());

    test('the realm has it; a second sweep finds nothing to do', async () => {
      const again = await platform.keeper.sweep();
      expect(again?.drift).toEqual([]);
      expect(again?.providers).toEqual(new Map([['corp', expect.objectContaining({ away: false })]]));
    });

    test('its user logs in by the client’s flow and has in each project what the groups give, and no more', async () => {
      const caller = await platform.authenticate(await tokenOf('lena', 'password-of-lena'));
      expect(caller).toMatchObject({ user: 'lena', admin: false });
      expect(rolesOf(caller)).toEqual({ 'lab/one': 'writer' });
      expect(isAllowed(caller, caller.roles.get('lab/two'), 'read')).toBe(false);
    });

    test('what delos.yaml says of a member goes before what a group gives', async () => {
      const caller = await platform.authenticate(await tokenOf('mats', 'password-of-mats'));
      expect(rolesOf(caller)).toEqual({ 'lab/one': 'reader', 'lab/two': 'manager' });
      const rows = await parts()
        .database.db.selectFrom('members')
        .selectAll()
        .where('user_name', '=', 'mats')
        .execute();
      expect(rows.map(({ project, provider }) => [project, provider]).sort()).toEqual([
        ['one', null],
        ['two', 'corp'],
      ]);
    });

    test('a wrong password and a locked account are let in nowhere', async () => {
      expect((await login(realmUrl(), 'lena', 'not-hers')).code).toBe('');
      const locked = (how: string) =>
        parts().slapd.change(
          `dn: ${userDn('lena')}\nchangetype: modify\n${how}: pwdAccountLockedTime\n${how === 'add' ? 'pwdAccountLockedTime: 000001010000Z\n' : ''}`,
        );
      await locked('add');
      expect((await login(realmUrl(), 'lena', 'password-of-lena')).code).toBe('');
      await locked('delete');
      expect((await login(realmUrl(), 'lena', 'password-of-lena')).code).not.toBe('');
    });

    test('whoever is in no mapped group is refused, with words', async () => {
      const token = await tokenOf('nils', 'password-of-nils');
      await expect(platform.authenticate(token)).rejects.toMatchObject({
        message: 'the account of "nils" is not one of this platform',
        hint: expect.stringMatching(/group of an identity provider/) as string,
      });
    });

    test('a name of delos.yaml is not taken over by a user of the directory', async () => {
      expect((await login(realmUrl(), 'ruth', 'password-of-ruth-there')).code).toBe('');
      expect((await platform.authenticate(await tokenOf('ruth', PASSWORDS.ruth))).user).toBe('ruth');
    });

    test('a group that was joined counts at the next sweep, one that was left ends with the second', async () => {
      const token = await tokenOf('lena', 'password-of-lena');
      await parts().slapd.change(changeMembers('ops', 'add', 'lena'));
      await platform.keeper.sweep();
      expect(rolesOf(await platform.authenticate(token))).toEqual({ 'lab/one': 'manager', 'lab/two': 'manager' });
      await parts().slapd.change(changeMembers('ops', 'delete', 'lena'));
      await parts().slapd.change(changeMembers('ml', 'delete', 'lena'));
      await platform.keeper.sweep();
      await platform.keeper.sweep();
      expect(rolesOf(await platform.authenticate(token))).toEqual({});
      await parts().slapd.change(changeMembers('ml', 'add', 'lena'));
      await platform.keeper.sweep();
      expect(rolesOf(await platform.authenticate(token))).toEqual({ 'lab/one': 'writer' });
    });

    test('what somebody changed by hand is put back, and the log says what', async () => {
      const { admin } = parts().keycloak;
      const component = z.looseObject({ id: z.string(), config: z.record(z.string(), z.array(z.string())) });
      const [directory] = await admin.get(
        z.array(component),
        '/realms/delos/components?type=org.keycloak.storage.UserStorageProvider',
      );
      await admin.put(`/realms/delos/components/${directory?.id}`, {
        ...directory,
        config: { ...directory?.config, editMode: ['WRITABLE'], usersDn: [`dc=evil,${BASE}`] },
      });
      await admin.create('/realms/delos/identity-provider/instances', {
        alias: 'back-door',
        providerId: 'oidc',
        enabled: true,
        config: {
          clientId: 'x',
          clientSecret: 'x',
          authorizationUrl: 'https://evil.example.com/a',
          tokenUrl: 'https://evil.example.com/t',
        },
      });
      const swept = await platform.keeper.sweep();
      expect(swept?.drift).toEqual(['provider back-door removed', 'directory corp changed']);
      expect(platform.lines.join('')).toContain('the realm was not as delos.yaml says, and is again');
      expect((await platform.keeper.sweep())?.drift).toEqual([]);
      expect((await login(realmUrl(), 'lena', 'password-of-lena')).code).not.toBe('');
    });

    test('the service, started as it is deployed, sweeps, tells its metrics and answers for whom the API sees', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'delos-keeper-'));
      const file = async (name: string, text: string): Promise<string> => {
        await writeFile(join(folder, name), text);
        return join(folder, name);
      };
      const { keycloak, databaseEnv, database, slapd } = parts();
      const text = JSON.stringify(realmOf(parseConfig(yaml(corp(slapd.url)), 'f'), 'http://127.0.0.1:8080'));
      await wantRealm(database.db, createHash('sha256').update(text).digest('hex'));
      await mkdir(join(folder, 'passwords'));
      for (const [name, password] of Object.entries(PASSWORDS)) await file(`passwords/${name}`, password);
      const service = await startService(identityService, {
        internalPort: 0,
        env: {
          ...databaseEnv,
          DELOS_LISTEN_HOST: '127.0.0.1',
          DELOS_LOG_LEVEL: 'silent',
          DELOS_KEYCLOAK_URL: keycloak.url,
          DELOS_KEYCLOAK_CLIENT_SECRET_FILE: await file('client-secret', keycloak.clientSecret),
          DELOS_IDENTITY: await file('identity.json', text),
          DELOS_IDENTITY_PASSWORDS: join(folder, 'passwords'),
          DELOS_IDENTITY_ISSUER: await file('issuer', ISSUER_SECRET),
          DELOS_PROVIDER_FILES: `corp=${await file('corp', BIND_PASSWORD)}`,
        },
      });
      try {
        expect((await fetch(`${service.internalUrl}/health/ready`)).status).toBe(200);
        await until('a sweep of the service', 60, async () => {
          const metrics = await (await fetch(`${service.internalUrl}/metrics`)).text();
          return /delos_identity_provider_up\{[^}]*provider="corp"[^}]*\} 1/.test(metrics) ? true : undefined;
        });
        silence();
        expect(rolesOf(await platform.authenticate(await tokenOf('lena', 'password-of-lena')))).toEqual({
          'lab/one': 'writer',
        });
      } finally {
        await service.stop();
        await rm(folder, { recursive: true });
      }
    });

    test('a keeper of another deployment keeps away', async () => {
      await wantRealm(parts().database.db, 'another');
      expect(await platform.keeper.sweep()).toBeUndefined();
      platform = await deployed(yaml(corp(parts().slapd.url)));
      silence();
      silence = answering(platform.keeper);
    });

    describe('while the directory is away', () => {
      let app: FastifyInstance;
      let through: string;
      beforeAll(async () => {
        app = Fastify({ trustProxy: true });
        await app.register(async (scope) => loginRoute(scope, parts(), realmUrl()), { prefix: loginResource.prefix });
        through = await app.listen({ host: '127.0.0.1', port: 0 });
      });
      afterAll(() => app?.close());

      test.each(['is lost', ...(long ? ['answers nothing'] : [])])(
        'and %s: users of the platform log in, others are told why not, and nobody loses a right',
        async (how) => {
          const { slapd } = parts();
          await platform.keeper.sweep();
          const token = await tokenOf('lena', 'password-of-lena');
          if (how === 'is lost') await slapd.kill();
          else slapd.freeze(true);
          try {
            const swept = await platform.keeper.sweep();
            await platform.keeper.sweep();
            expect(swept?.providers.get('corp')).toMatchObject({ away: true });
            const via = { through, headers: { 'x-forwarded-for': '192.0.2.9' } };
            expect((await login(realmUrl(), 'ruth', PASSWORDS.ruth, { via })).code).not.toBe('');
            const { after } = await login(realmUrl(), 'lena', 'password-of-lena', { via });
            expect(words(after)).toContain('corp does not answer now, so people who come from there cannot log in');
            expect(rolesOf(await platform.authenticate(token))).toEqual({ 'lab/one': 'writer' });
          } finally {
            if (how === 'is lost') await slapd.start();
            else slapd.freeze(false);
          }
          expect((await platform.keeper.sweep())?.providers.get('corp')).toMatchObject({ away: false });
          expect((await login(realmUrl(), 'lena', 'password-of-lena')).code).not.toBe('');
        },
      );
    });

    test('a password that Keycloak has wrongly is named, and the right one is written by the next sweep', async () => {
      const wrong = await deployed(yaml(corp(parts().slapd.url)), { corp: 'not-the-password' });
      const swept = await wrong.keeper.sweep();
      expect(swept?.providers.get('corp')?.problem).toMatch(/does not take the password of cn=keycloak/);
      platform = await deployed(yaml(corp(parts().slapd.url)));
      expect((await platform.keeper.sweep())?.providers.get('corp')).toMatchObject({ away: false });
    });

    test('delos.yaml takes a name from the directory: that person is out, and the name is another’s', async () => {
      const { database } = parts();
      const before = await platform.authenticate(await tokenOf('lena', 'password-of-lena'));
      const taken = yaml(corp(parts().slapd.url)).replace(
        'users: [',
        'users: [{name: lena, email: lena@example.com}, ',
      );
      Object.assign(PASSWORDS, { lena: 'first-password-of-lena' });
      const other = await deployed(taken);
      const now = await other.authenticate(await tokenOf('lena', 'first-password-of-lena'));
      expect(now.user).toBe('lena');
      expect(now.id).not.toBe(before.id);
      expect(rolesOf(now)).toEqual({});
      expect((await login(realmUrl(), 'lena', 'password-of-lena')).code).toBe('');
      const rows = await database.db.selectFrom('users').selectAll().where('name', '=', 'lena').execute();
      expect(rows.filter(({ removed_at }) => removed_at === null)).toHaveLength(1);
    });

    test('removed from delos.yaml, it goes from the realm, and its people with it', async () => {
      const token = await tokenOf('mats', 'password-of-mats');
      await deployed('users: [{name: ruth, email: ruth@example.com}]');
      await expect(platform.authenticate(token)).rejects.toMatchObject({ code: 'ERR_UNAUTHENTICATED' });
      const { admin } = parts().keycloak;
      const all = await admin.get(z.array(z.looseObject({ username: z.string() })), '/realms/delos/users?max=100');
      expect(all.map(({ username }) => username)).not.toContain('mats');
      expect(
        await admin.get(z.array(z.unknown()), '/realms/delos/components?type=org.keycloak.storage.UserStorageProvider'),
      ).toEqual([]);
    });
  });
}
