import { parseConfig } from '@delos/constructs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ProviderLogins } from '../../../runtime/service/src/api/provider-logins.ts';
import { tokensOf, words } from './login.ts';
import { CLIENT_SECRET, loginBy, makePartner, type Partner } from './partner.ts';
import { PASSWORDS, type ProviderParts, platformOf, rolesOf } from './platform.ts';

const yaml = ({ issuer, metadataUrl }: Partner): string => `
users: [{name: ruth, email: ruth@example.com}]
organizations: [{name: lab, projects: [{name: one}, {name: two}]}]
identity:
  oidc:
    - name: partner
      title: The partner
      issuer: ${issuer}
      clientId: delos
      clientSecret: {file: /never/read}
      groups: [{group: ml, organization: lab, project: one}]
  entra:
    - name: contoso
      tenant: 72f988bf-86f1-41af-91ab-2d7cd011db47
      clientId: delos
      clientSecret: {file: /never/read}
      groups: [{group: 3c5a7a3e-0000-4000-8000-000000000001, organization: lab}]
  saml:
    - name: partner-saml
      metadataUrl: ${metadataUrl}
      groups: [{group: ml, organization: lab, role: reader}]
`;
const SECRETS = { partner: CLIENT_SECRET, contoso: 'a-secret-that-entra-never-sees' };

/** OIDC and SAML providers from delos.yaml alone. */
export function brokersSuite(parts: () => ProviderParts): void {
  const { deployed, realmUrl, tokenOf, answering } = platformOf(parts);
  let partner: Partner;
  let platform: Awaited<ReturnType<typeof deployed>>;
  let silence: () => void;
  const callerBy = async (provider: string, user: string) => {
    const { code, verifier, after, form } = await loginBy(provider, realmUrl(), user);
    expect(code, words(after)).not.toBe('');
    return {
      form,
      caller: await platform.authenticate((await tokensOf(realmUrl(), code, verifier)).access_token ?? ''),
    };
  };

  describe('OIDC and SAML of delos.yaml alone: a second realm of the same Keycloak, under another host name', () => {
    beforeAll(async () => {
      await parts()
        .database.notifications.start()
        .catch(() => undefined);
      partner = await makePartner(parts().keycloak);
      platform = await deployed(yaml(partner), SECRETS);
      silence = answering(platform.keeper);
    });
    afterAll(() => silence?.());

    test('the realm has them; a second sweep finds nothing to do', async () => {
      const again = await platform.keeper.sweep();
      expect(again?.drift).toEqual([]);
      expect([...(again?.providers ?? [])].map(([name, { away }]) => [name, away])).toEqual([
        ['partner', false],
        ['contoso', false],
        ['partner-saml', false],
      ]);
    });

    test.each([
      ['partner', 'olga', { 'lab/one': 'writer' }],
      ['partner-saml', 'pia', { 'lab/one': 'reader', 'lab/two': 'reader' }],
    ])(
      'by %s its user %s logs in at the provider, fills in no form here, and has what the group gives',
      async (provider, user, roles) => {
        const { caller, form } = await callerBy(provider, user);
        expect(new URL(form.url).hostname).toBe('localhost');
        expect(caller).toMatchObject({ user, admin: false });
        expect(rolesOf(caller)).toEqual(roles);
      },
    );

    test.each([
      ['name', 'partner', 'ruth', /A user with this username \(ruth\) is here already/],
      ['name', 'partner-saml', 'ruth', /A user with this username \(ruth\) is here already/],
      ['address', 'partner', 'eve', /A user with this email \(ruth(@|&#64;)example.com\) is here already/],
      [
        'address',
        'partner-saml',
        'olga',
        /A user with this email \(olga(@|&#64;)partner.example.com\) is here already/,
      ],
    ])(
      'the %s of somebody who is here is not taken over by %s (%s): a page says so',
      async (_, provider, user, says) => {
        const { code, after } = await loginBy(provider, realmUrl(), user);
        expect(code).toBe('');
        expect(words(after)).toMatch(says);
        expect((await platform.authenticate(await tokenOf('ruth', PASSWORDS.ruth))).user).toBe('ruth');
      },
    );

    test.each([
      ['partner', 'olga'],
      ['partner-saml', 'pia'],
    ])('a group that was left at %s gives nothing from the next login on, after two sweeps', async (provider, user) => {
      await partner.setGroup(user, 'ml', false);
      await callerBy(provider, user);
      await platform.keeper.sweep();
      await platform.keeper.sweep();
      expect(rolesOf((await callerBy(provider, user)).caller)).toEqual({});
      await partner.setGroup(user, 'ml', true);
      expect(rolesOf((await callerBy(provider, user)).caller)).not.toEqual({});
    });

    test('what somebody changed by hand is put back', async () => {
      const { admin } = parts().keycloak;
      const base = '/realms/delos/identity-provider/instances/partner';
      const instance = await admin.get(z.looseObject({ config: z.looseObject({}) }), base);
      await admin.put(base, {
        ...instance,
        trustEmail: true,
        firstBrokerLoginFlowAlias: 'first broker login',
        config: { ...instance.config, tokenUrl: 'https://evil.example.com/token', clientSecret: 'another' },
      });
      await admin.create(`${base}/mappers`, {
        name: 'everybody',
        identityProviderAlias: 'partner',
        identityProviderMapper: 'oidc-hardcoded-group-idp-mapper',
        config: { group: '/partner-saml/ml', syncMode: 'FORCE' },
      });
      const groups = await admin.get(
        z.array(z.looseObject({ id: z.string(), name: z.string() })),
        '/realms/delos/groups?max=100',
      );
      await admin.create('/realms/delos/groups', { name: 'strange' });
      expect(groups.length).toBeGreaterThan(3);
      expect((await platform.keeper.sweep())?.drift).toEqual([
        'group strange removed',
        'provider partner changed',
        'mapper everybody of partner removed',
      ]);
      expect((await platform.keeper.sweep())?.drift).toEqual([]);
      expect(rolesOf((await callerBy('partner', 'olga')).caller)).toEqual({ 'lab/one': 'writer' });
    });

    test('a login counts for `reloginHours`, and then says that it is over', () => {
      const { identity } = parseConfig(yaml(partner), 'f');
      const logins = new ProviderLogins(parts().database, identity);
      const hoursAgo = (hours: number): number => Date.now() / 1000 - hours * 3600;
      expect(logins.hasEnded('partner', hoursAgo(23))).toBeUndefined();
      expect(logins.hasEnded('partner', hoursAgo(25))).toMatch(/users of partner have to log in again after 24 hours/);
      expect(logins.hasEnded('partner', undefined)).toMatch(/log in again/);
    });

    test('Entra ID is set up as its documentation says; it was not there to log in by', async () => {
      const { admin } = parts().keycloak;
      const found = await admin.get(
        z.looseObject({ config: z.record(z.string(), z.string()) }),
        '/realms/delos/identity-provider/instances/contoso',
      );
      const base = 'https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47';
      expect(found.config).toMatchObject({
        issuer: `${base}/v2.0`,
        authorizationUrl: `${base}/oauth2/v2.0/authorize`,
        tokenUrl: `${base}/oauth2/v2.0/token`,
        jwksUrl: `${base}/discovery/v2.0/keys`,
        validateSignature: 'true',
        pkceEnabled: 'true',
      });
    });

    test('one that does not answer is named, and holds up no other', async () => {
      const gone = yaml(partner).replace(partner.metadataUrl, 'http://localhost:9/nothing');
      const other = await deployed(gone.replace('name: partner-saml', 'name: gone'), SECRETS);
      const swept = await other.keeper.sweep();
      expect(swept?.providers.get('gone')).toMatchObject({ away: true });
      expect(swept?.providers.get('partner')).toMatchObject({ away: false });
      expect(rolesOf((await callerBy('partner', 'olga')).caller)).toEqual({ 'lab/one': 'writer' });
    });

    test('removed from delos.yaml, they go from the realm with the accounts of their users', async () => {
      const { caller } = await callerBy('partner', 'olga');
      expect(caller.user).toBe('olga');
      await deployed('users: [{name: ruth, email: ruth@example.com}]', {});
      const { admin } = parts().keycloak;
      const all = await admin.get(z.array(z.looseObject({ username: z.string() })), '/realms/delos/users?max=100');
      expect(all.map(({ username }) => username)).not.toEqual(expect.arrayContaining(['olga']));
      const left = await admin.get(
        z.array(z.looseObject({ alias: z.string() })),
        '/realms/delos/identity-provider/instances',
      );
      expect(left.map(({ alias }) => alias)).toEqual(['operator']);
    });
  });
}
