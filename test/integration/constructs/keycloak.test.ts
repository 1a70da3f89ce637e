import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineContext, parseConfig, synthesize } from '@delos/constructs';
import { type IdentitySpec, identitySpec } from '@delos/core';
import { freePort } from '@delos/host';
import Fastify, { type FastifyInstance } from 'fastify';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { passwordUrl } from '../../../constructs/src/services/gateway/landing-page.ts';
import { authenticator } from '../../../runtime/service/src/api/auth.ts';
import { login as loginResource } from '../../../runtime/service/src/api/resources/login/index.ts';
import { LIMITS } from '../../../runtime/service/src/api/resources/login/limits.ts';
import { loginRoute } from '../../../runtime/service/src/api/resources/login/route.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { accountsOf, applyUsers } from '../../../runtime/service/src/db/users.ts';
import {
  convergeIdentity,
  convergeRealm,
  handleToken,
  type IdentitySecrets,
  type IssuerSettings,
  issueToken,
  KeycloakAdmin,
} from '../../../runtime/service/src/identity/index.ts';
import { Browser, type Via } from '../../support/browser.ts';
import { CALLBACK, exchange as exchangeAt, login as loginAt, words } from '../../support/identity/login.ts';
import { tokenSettings } from '../../support/identity/platform.ts';
import { providersSuite } from '../../support/identity/providers-suite.ts';
import { DIRECTORY, type Slapd, startSlapd } from '../../support/identity/slapd.ts';
import { startKeycloak, type TestKeycloak } from '../../support/service/keycloak.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';

const PASSWORDS = { admin: 'first-password-of-admin', ann: 'first-password-of-ann' };
const ISSUER_SECRET = randomBytes(24).toString('hex');
const PUBLIC_URL = 'http://127.0.0.1:8080';

let keycloak: TestKeycloak;
let postgres: TestPostgres;
let slapd: Slapd;
let database: Database & { readonly name: string };
let spec: IdentitySpec;
const secrets: IdentitySecrets = { issuer: ISSUER_SECRET, passwords: PASSWORDS };

/** The realm as the constructs say it, out of the very ConfigMap that is deployed. */
function specOf(yaml: string): IdentitySpec {
  const config = parseConfig(yaml, 'delos.yaml');
  const { objects } = synthesize(config, engineContext(config, 'embedded'));
  const map = objects.find(({ manifest }) => manifest.kind === 'ConfigMap' && manifest.metadata.name === 'realm');
  const { data } = z.object({ data: z.object({ 'identity.json': z.string() }) }).parse(map?.manifest);
  return identitySpec.parse(JSON.parse(data['identity.json']));
}

const realmUrl = (): string => `${keycloak.url}/realms/delos`;
const issuer = (): IssuerSettings => ({ issuer: realmUrl(), realmUrl: realmUrl(), secret: ISSUER_SECRET });
const authenticate = (token: string) => authenticator(database.db, tokenSettings(realmUrl()))(`Bearer ${token}`);
/** What `migrate` does: the database first, which refuses whoever was removed, then Keycloak. */
const forget = (wanted: IdentitySpec): Promise<void> =>
  database.tx((tx) =>
    applyUsers(
      tx,
      wanted.users.map(({ username: name }) => ({ name })),
    ),
  );
const converge = async (wanted: IdentitySpec, given: IdentitySecrets): Promise<readonly string[]> => {
  await forget(wanted);
  return convergeIdentity(keycloak.admin, wanted, given, accountsOf(database));
};

beforeAll(async () => {
  // Keycloak reads at its start whom it trusts.
  slapd = await startSlapd(DIRECTORY);
  [keycloak, postgres] = await Promise.all([startKeycloak(slapd.authority), startPostgres()]);
  database = await postgres.connect();
  spec = specOf('users: [{name: ann, email: ann@example.com}]');
});
afterAll(async () => {
  await database?.close();
  await Promise.all([keycloak?.stop(), postgres?.stop(), slapd?.stop()]);
});

describe('the realm converges', () => {
  test('made at the first time, unchanged at the second', async () => {
    const first = await converge(spec, secrets);
    expect(first).toEqual(expect.arrayContaining(['realm delos made', 'client apolo made', 'user admin made']));
    expect(await converge(spec, secrets)).toEqual([]);
  });

  test('what somebody changed by hand is set right, and no more', async () => {
    const clients = z.array(z.looseObject({ id: z.string() }));
    const [client] = await keycloak.admin.get(clients, '/realms/delos/clients?clientId=apolo');
    await keycloak.admin.put(`/realms/delos/clients/${client?.id}`, {
      ...client,
      redirectUris: ['https://evil.example.com/*'],
      directAccessGrantsEnabled: true,
    });
    await keycloak.admin.put('/realms/delos', { revokeRefreshToken: true, accessTokenLifespan: 5 });
    expect(await converge(spec, secrets)).toEqual(['realm delos changed', 'client apolo changed']);
    expect(await converge(spec, secrets)).toEqual([]);
  });

  test('two at once do not disturb each other', async () => {
    const other = { ...spec, users: [...spec.users, { username: 'zoe', email: 'zoe@example.com' }] };
    const all = { ...secrets, passwords: { ...PASSWORDS, zoe: 'first-password-of-zoe' } };
    await Promise.all([1, 2, 3].map(() => converge(other, all)));
    expect(await converge(other, all)).toEqual([]);
  });

  const withZoe = (): IdentitySpec => ({
    ...spec,
    users: [...spec.users, { username: 'zoe', email: 'zoe@example.com' }],
  });
  const withPassword = (zoe: string): IdentitySecrets => ({ ...secrets, passwords: { ...PASSWORDS, zoe } });

  test('a removed user’s tokens are refused at once, those of `delos token` included', async () => {
    await converge(withZoe(), withPassword('first-password-of-zoe'));
    const { token } = await issueToken(issuer(), 'zoe', 600);
    const { access_token: own = '' } = await personal('zoe', 'first-password-of-zoe');
    expect([(await authenticate(token)).user, (await authenticate(own)).user]).toEqual(['zoe', 'zoe']);
    // Keycloak is not even asked yet.
    await forget(spec);
    for (const bearer of [token, own]) {
      await expect(authenticate(bearer)).rejects.toMatchObject({
        code: 'ERR_UNAUTHENTICATED',
        message: 'the account of "zoe" was removed from this platform',
      });
    }
    expect(await converge(spec, secrets)).toEqual(['account of the former user zoe deleted']);
    await expect(issueToken(issuer(), 'zoe', 600)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
  });

  test.each([true, false])(
    'a name that is given again is another person’s (former account deleted in between: %s)',
    async (between) => {
      await converge(withZoe(), withPassword('password-of-the-one'));
      const { token } = await issueToken(issuer(), 'zoe', 600);
      const { refresh_token: refresh = '' } = await personal('zoe', 'password-of-the-one');
      const former = await authenticate(token);
      await (between ? converge(spec, secrets) : forget(spec));
      await converge(withZoe(), withPassword('password-of-the-other'));
      const other = await authenticate((await issueToken(issuer(), 'zoe', 600)).token);
      expect(other).toMatchObject({ user: 'zoe' });
      expect(other.id).not.toBe(former.id);
      await expect(authenticate(token)).rejects.toMatchObject({ code: 'ERR_UNAUTHENTICATED' });
      expect((await exchange({ grant_type: 'refresh_token', refresh_token: refresh })).status).toBe(400);
      expect((await login('zoe', 'password-of-the-one')).code).toBe('');
      await converge(spec, secrets);
    },
  );

  test('an account that somebody made by hand is no user', async () => {
    await keycloak.admin.create('/realms/delos/users', {
      username: 'stranger',
      enabled: true,
      email: 'stranger@example.com',
      credentials: [{ type: 'password', value: 'password-of-a-stranger', temporary: false }],
    });
    const { access_token: token = '' } = await personal('stranger', 'password-of-a-stranger');
    await expect(authenticate(token)).rejects.toMatchObject({
      message: 'the account of "stranger" is not one of this platform',
    });
  });

  test('another secret of the issuer is taken over', async () => {
    const other = { ...secrets, issuer: 'another-secret' };
    expect(await converge(spec, other)).toContain('issuer of tokens changed');
    await expect(issueToken(issuer(), 'ann', 600)).rejects.toMatchObject({ code: 'ERR_REQUEST' });
    await converge(spec, secrets);
    expect((await issueToken(issuer(), 'ann', 600)).user).toBe('ann');
  });

  test('a wrong client secret ends the wait at once, a Keycloak that is not there at its limit', async () => {
    const wrong = new KeycloakAdmin({ url: keycloak.url, clientId: 'delos-operator', clientSecret: 'wrong' });
    await expect(wrong.waitUntilReady({ limitSeconds: 60 })).rejects.toMatchObject({ code: 'ERR_UNAUTHENTICATED' });
    const absent = new KeycloakAdmin({
      url: `http://127.0.0.1:${await freePort()}/auth`,
      clientId: 'x',
      clientSecret: 'x',
    });
    await expect(absent.waitUntilReady({ limitSeconds: 1 })).rejects.toMatchObject({
      code: 'ERR_TIMEOUT',
      message: expect.stringMatching(/waiting for Keycloak at .*ECONNREFUSED.* of 1 s/) as string,
    });
  });
});

const login = (
  user: string,
  password: string,
  redirect = CALLBACK,
  scope = 'offline_access',
  client = 'apolo',
  via: Via = {},
) => loginAt(realmUrl(), user, password, { redirect, scope, client, via });
const exchange = (form: Readonly<Record<string, string>>) => exchangeAt(realmUrl(), form);

/** A person's own tokens, after a login by browser. */
async function personal(user: string, password: string, scope = 'offline_access') {
  const { code, verifier } = await login(user, password, CALLBACK, scope);
  return exchange({ grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: CALLBACK });
}

describe('no other kind of token is an access token', () => {
  test.each([
    ['id_token', /the token is of type "ID", and not an access token/],
    ['refresh_token', /not one that this platform issued/],
  ] as const)('%s', async (kind, message) => {
    const answer = await personal('ann', PASSWORDS.ann, 'openid offline_access');
    expect(answer.status).toBe(200);
    await expect(authenticate(String(answer[kind]))).rejects.toMatchObject({
      code: 'ERR_UNAUTHENTICATED',
      message: expect.stringMatching(message) as string,
    });
    expect(await authenticate(answer.access_token ?? '')).toMatchObject({ user: 'ann' });
  });

  test('an access token that another client of the realm was given', async () => {
    const other = { clientId: 'other', publicClient: true, redirectUris: [CALLBACK], standardFlowEnabled: true };
    await keycloak.admin.create('/realms/delos/clients', { ...other, defaultClientScopes: ['basic', 'delos'] });
    const { code, verifier } = await login('ann', PASSWORDS.ann, CALLBACK, 'openid', 'other');
    const form = { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: CALLBACK };
    const { access_token: token = '' } = await exchange({ ...form, client_id: 'other' });
    expect(decodeJwt(token)).toMatchObject({ identity: 'ann', aud: 'apolo', typ: 'Bearer', azp: 'other' });
    await expect(authenticate(token)).rejects.toMatchObject({
      message: expect.stringMatching(/made for "other"/) as string,
    });
  });
});

describe('what Keycloak brings along', () => {
  const clients = z.array(
    z.looseObject({
      clientId: z.string(),
      enabled: z.boolean(),
      bearerOnly: z.boolean(),
      standardFlowEnabled: z.boolean(),
      implicitFlowEnabled: z.boolean(),
      directAccessGrantsEnabled: z.boolean(),
      serviceAccountsEnabled: z.boolean(),
    }),
  );

  test.each([
    ['delos', ['apolo', 'delos-issuer', 'job-router', 'other']],
    ['master', ['delos-operator']],
  ])('of the realm %s only the clients %j are open', async (realm, open) => {
    const all = await keycloak.admin.get(clients, `/realms/${realm}/clients`);
    expect(
      all
        .filter(({ enabled, bearerOnly }) => enabled && !bearerOnly)
        .map(({ clientId }) => clientId)
        .sort(),
    ).toEqual(open);
    expect(all.filter((one) => one.implicitFlowEnabled || one.directAccessGrantsEnabled)).toEqual([]);
    const accounts = all.filter(({ serviceAccountsEnabled }) => serviceAccountsEnabled);
    expect(accounts.map(({ clientId }) => clientId)).toEqual(realm === 'master' ? ['delos-operator'] : []);
  });

  test.each(['delos', 'master'])('in the realm %s no client trades a password for a token', async (realm) => {
    const all = await keycloak.admin.get(clients, `/realms/${realm}/clients`);
    for (const { clientId } of all) {
      const answer = await fetch(`${keycloak.url}/realms/${realm}/protocol/openid-connect/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'password',
          client_id: clientId,
          client_secret: keycloak.clientSecret,
          username: 'ann',
          password: PASSWORDS.ann,
        }),
      });
      expect([400, 401], clientId).toContain(answer.status);
      expect(await answer.json()).toMatchObject({
        error: expect.stringMatching(/^(unauthorized_client|invalid_client)$/) as string,
      });
    }
  });
});

describe('wrong passwords lock out where they come from, and nobody else', () => {
  let app: FastifyInstance;
  beforeAll(async () => {
    app = Fastify({ trustProxy: true });
    await served(app, realmUrl());
    await app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterAll(() => app?.close());

  /** As the control API serves it: under the prefix of its resource. */
  const served = (on: FastifyInstance, realm: string) =>
    on.register(async (scope) => loginRoute(scope, { database }, realm), { prefix: loginResource.prefix });
  const address = (): string => `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const from = (source: string) => ({ through: address(), headers: { 'x-forwarded-for': source } });
  const tries = async (user: string, password: string, source: string) =>
    (await login(user, password, CALLBACK, 'offline_access', 'apolo', from(source))).after;
  const fails = async (user: string, source: string, times: number): Promise<readonly number[]> => {
    const statuses: number[] = [];
    for (let time = 0; time < times; time++) statuses.push((await tries(user, 'not-the-password', source)).status);
    return statuses;
  };

  test('who may log in passes as if Keycloak had been asked directly, after mistakes too', async () => {
    expect(await fails('admin', '192.0.2.1', 3)).toEqual([200, 200, 200]);
    const { after, code } = await login(
      'admin',
      PASSWORDS.admin,
      CALLBACK,
      'offline_access',
      'apolo',
      from('192.0.2.1'),
    );
    expect(after.status).toBe(0);
    expect(code).not.toBe('');
  });

  test('after ten failures a source waits for this user, by whatever case of the name; other sources and users do not', async () => {
    expect(await fails('admin', '192.0.2.66', LIMITS.user)).toEqual(Array.from({ length: LIMITS.user }, () => 200));
    const refused = await tries('ADMIN', PASSWORDS.admin, '192.0.2.66');
    expect(refused.status).toBe(429);
    expect(refused.body).toMatch(/Too many wrong passwords.*try again in \d+ seconds/s);
    expect((await tries('ann', PASSWORDS.ann, '192.0.2.66')).status).toBe(0);
    expect((await tries('admin', PASSWORDS.admin, '192.0.2.2')).status).toBe(0);
    expect((await tries('admin', PASSWORDS.admin, '2001:db8:1::1')).status).toBe(0);
  });

  test('attempts at once are counted before they are made', async () => {
    const all = await Promise.all(Array.from({ length: LIMITS.user + 6 }, () => tries('ann', 'wrong', '192.0.2.77')));
    expect(all.filter(({ status }) => status === 200)).toHaveLength(LIMITS.user);
    expect(all.filter(({ status }) => status === 429)).toHaveLength(6);
  });

  test('a Keycloak that is not there costs nobody an attempt', async () => {
    const lonely = Fastify({ trustProxy: true });
    const port = await freePort();
    await served(lonely, `http://127.0.0.1:${port}/auth/realms/delos`);
    for (let time = 0; time <= LIMITS.user; time++) {
      const answer = await lonely.inject({
        method: 'POST',
        url: '/auth/realms/delos/login-actions/authenticate?x=1',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        payload: 'username=ann&password=x',
        remoteAddress: '192.0.2.88',
      });
      expect(answer.statusCode).toBeGreaterThanOrEqual(500);
    }
    await lonely.close();
  });
});

describe('a person logs in', () => {
  test('authorization code with PKCE; the token is what the control API takes, short and ASCII', async () => {
    const { code, verifier } = await login('ann', PASSWORDS.ann);
    const answer = await exchange({
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: CALLBACK,
    });
    expect(answer.status).toBe(200);
    expect(answer.expires_in).toBeLessThanOrEqual(spec.accessTokenLifespan);
    expect(answer.expires_in).toBeGreaterThan(spec.accessTokenLifespan / 2);
    const token = answer.access_token ?? '';
    expect(decodeJwt(token)).toMatchObject({ identity: 'ann', aud: 'apolo', azp: 'apolo', iss: realmUrl() });
    expect(token).toMatch(/^[\x21-\x7e]+$/);
    expect(token.length).toBeLessThan(2000);
    expect(await authenticate(token)).toMatchObject({ user: 'ann', admin: false });
  });

  test('to a service that has a login; its token opens nothing that is not for it, and its client goes with it', async () => {
    const redirect = 'https://ai.example.com/grafana/login/generic_oauth';
    const grafana = { id: 'grafana', title: 'Dashboards', redirectUris: [redirect] };
    const withLogin = { ...spec, logins: [...spec.logins, grafana] };
    expect(await converge(withLogin, secrets)).toEqual(['client grafana made']);
    expect(await converge(withLogin, secrets)).toEqual([]);
    const asGrafana = { client: 'grafana', redirect, scope: 'openid' };
    const { code, verifier } = await loginAt(realmUrl(), 'ann', PASSWORDS.ann, asGrafana);
    const given = { client_id: 'grafana', code, code_verifier: verifier, redirect_uri: redirect };
    const { access_token: token = '' } = await exchange({ grant_type: 'authorization_code', ...given });
    expect(decodeJwt(token)).toMatchObject({ identity: 'ann', aud: 'apolo', azp: 'grafana' });
    await expect(authenticate(token)).rejects.toThrow('the token was made for "grafana", not for apolo');
    const settings = tokenSettings(realmUrl());
    const whoLogsIn = authenticator(database.db, { ...settings, clients: [...settings.clients, 'grafana'] });
    expect(await whoLogsIn(`Bearer ${token}`)).toMatchObject({ user: 'ann', admin: false });
    // By this the service knows who came.
    const info = await fetch(`${realmUrl()}/protocol/openid-connect/userinfo`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(await info.json()).toMatchObject({ identity: 'ann' });
    const elsewhere = { ...asGrafana, redirect: 'https://evil.example.com/login' };
    await expect(loginAt(realmUrl(), 'ann', PASSWORDS.ann, elsewhere)).rejects.toThrow();
    expect(await converge(spec, secrets)).toEqual(['client grafana removed']);
  });

  test('the first refresh token works again and again, in parallel too', async () => {
    const { code, verifier } = await login('admin', PASSWORDS.admin);
    const { refresh_token: refresh = '' } = await exchange({
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: CALLBACK,
    });
    expect(z.object({ typ: z.string() }).parse(decodeJwt(refresh)).typ).toBe('Offline');
    const once = () => exchange({ grant_type: 'refresh_token', refresh_token: refresh });
    const answers = [await once(), await once(), ...(await Promise.all([once(), once(), once()]))];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(await authenticate(answers[4]?.access_token ?? '')).toMatchObject({ user: 'admin', admin: true });
  });

  test.each([
    ...[54540, 54541, 54542].flatMap((port) => [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port}/`]),
    `${PUBLIC_URL}/api/v1/headless`,
  ])('a code may go to %s', async (redirect) => {
    expect((await login('ann', PASSWORDS.ann, redirect)).code).not.toBe('');
  });

  test.each(['http://127.0.0.1:54540/other', 'https://evil.example.com/', `${PUBLIC_URL}/api/v1/headless/../x`])(
    'a code may not go to %s',
    async (redirect) => {
      const query = new URLSearchParams({ response_type: 'code', client_id: 'apolo', redirect_uri: redirect });
      const page = await new Browser().open(`${realmUrl()}/protocol/openid-connect/auth?${query}`, redirect);
      expect(page.status).toBe(400);
    },
  );

  test('no code without PKCE, no token with another verifier, none with a password alone', async () => {
    const query = new URLSearchParams({ response_type: 'code', client_id: 'apolo', redirect_uri: CALLBACK });
    const page = await new Browser().open(`${realmUrl()}/protocol/openid-connect/auth?${query}`, CALLBACK);
    expect(page.url).toContain('error=invalid_request');
    const { code } = await login('ann', PASSWORDS.ann);
    const other = randomBytes(32).toString('base64url');
    const answer = { grant_type: 'authorization_code', code, code_verifier: other, redirect_uri: CALLBACK };
    expect((await exchange(answer)).status).toBe(400);
    const direct = { grant_type: 'password', username: 'ann', password: PASSWORDS.ann };
    expect((await exchange(direct)).status).toBe(400);
  });

  test('a new password is set by its owner, by the link of the landing page', async () => {
    const browser = new Browser();
    const end = `${PUBLIC_URL}/api/v1/headless`;
    const url = passwordUrl(PUBLIC_URL).replace(`${PUBLIC_URL}/auth`, keycloak.url);
    const form = await browser.submit(await browser.open(url), { username: 'ann', password: PASSWORDS.ann }, end);
    expect(form.body, words(form)).toContain('password-new');
    const chosen = { 'password-new': 'one-of-her-own-choice', 'password-confirm': 'one-of-her-own-choice' };
    const after = await browser.submit(form, chosen, end);
    expect(new URL(after.url).searchParams.get('kc_action_status'), words(after)).toBe('success');
    expect((await login('ann', PASSWORDS.ann)).code).toBe('');
    expect((await login('ann', 'one-of-her-own-choice')).code).not.toBe('');
    await converge(spec, secrets);
    expect((await login('ann', 'one-of-her-own-choice')).code).not.toBe('');
  });

  test('a wrong password stays at the form', async () => {
    const { after, code } = await login('ann', 'not-the-password');
    expect(code).toBe('');
    expect(after.body).toContain('Invalid username or password');
  });
});

describe('the operator issues a token', () => {
  const HOUR = 3600;

  test.each([5, 12 * HOUR, 400 * 24 * HOUR])('for any user, good for %d s, passing the same checks', async (ttl) => {
    const issued = await issueToken(issuer(), 'ann', ttl);
    const keys = createRemoteJWKSet(new URL(`${realmUrl()}/protocol/openid-connect/certs`));
    const { payload } = await jwtVerify(issued.token, keys, { issuer: realmUrl(), audience: 'apolo' });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBeGreaterThan(ttl - 5);
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBeLessThanOrEqual(ttl);
    expect(issued.token.length).toBeLessThan(2000);
    expect(await authenticate(issued.token)).toMatchObject({ user: 'ann' });
  });

  test('its issue is on record, listed without the token, and revocation ends it', async () => {
    const issued = z
      .object({ token: z.string(), id: z.string() })
      .parse(
        await handleToken(database, issuer(), { action: 'issue', user: 'ann', ttlSeconds: HOUR, by: 'operator test' }),
      );
    expect(await authenticate(issued.token)).toMatchObject({ user: 'ann' });
    const list = await handleToken(database, issuer(), { action: 'list' });
    expect(list).toContainEqual(
      expect.objectContaining({ id: issued.id, user: 'ann', issuedBy: 'operator test', revokedAt: null }),
    );
    expect(JSON.stringify(list)).not.toContain(issued.token.split('.')[2]);

    const revoke = { action: 'revoke', id: issued.id, by: 'operator test' } as const;
    await handleToken(database, issuer(), revoke);
    await expect(authenticate(issued.token)).rejects.toMatchObject({
      code: 'ERR_UNAUTHENTICATED',
      message: 'the token was revoked',
    });
    await handleToken(database, issuer(), revoke);
    const audit = await database.db
      .selectFrom('audit')
      .selectAll()
      .where('target', '=', issued.id)
      .orderBy('id')
      .execute();
    expect(audit.map(({ action, actor }) => [action, actor])).toEqual([
      ['token.issue', 'operator test'],
      ['token.revoke', 'operator test'],
    ]);
  });

  test('an id that was never issued, a user that there is not, a lifetime out of bounds: each says so', async () => {
    const revoke = { action: 'revoke', id: 'nothing', by: 'x' } as const;
    await expect(handleToken(database, issuer(), revoke)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    await expect(issueToken(issuer(), 'nobody', HOUR)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    await expect(issueToken(issuer(), 'ann', 4)).rejects.toMatchObject({ code: 'ERR_USAGE' });
    await expect(issueToken(issuer(), 'ann', 20 * 365 * 24 * HOUR)).rejects.toMatchObject({ code: 'ERR_USAGE' });
  });

  test('without the secret nobody is believed', async () => {
    const forged = { ...issuer(), secret: 'guessed' };
    await expect(issueToken(forged, 'admin', HOUR)).rejects.toMatchObject({ code: 'ERR_REQUEST' });
  });
});

describe('Keycloak refuses users that delos.yaml refuses', () => {
  const made = (username: string, email: string): Promise<boolean> =>
    keycloak.admin.create('/realms/delos/users', { username, email, enabled: true });

  test.each([
    ['a name of two letters', 'al', 'al@example.com', /400/],
    ['a mail box of 65 characters', 'carl', `${'a'.repeat(65)}@example.com`, /400/],
    ['a host of the address that is none', 'carl', `a@${'b'.repeat(64)}.com`, /400/],
  ])('%s', async (_, username, email, says) => {
    await expect(made(username, email)).rejects.toThrow(says);
    expect(() => parseConfig(`users: [{name: ${username}, email: "${email}"}]`, 'delos.yaml')).toThrow();
  });

  test('an address that another user has, in other letters', async () => {
    // The answer is 409, which `create` takes for "is there already".
    expect(await made('carl', 'ANN@example.com')).toBe(false);
    expect(() => parseConfig('users: [{name: ann, email: a@b.org}, {name: carl, email: A@B.org}]', 'f')).toThrow();
  });

  test('and takes those that delos.yaml takes', async () => {
    const longest = 'n'.repeat(63);
    const { users } = parseConfig(`users: [{name: bob}, {name: ${longest}, email: ${longest}@Example.com}]`, 'f');
    expect(users).toHaveLength(2);
    expect(await made('bob', 'bob@example.com')).toBe(true);
    expect(await made(longest, `${longest}@example.com`)).toBe(true);
  });

  test('an address in capitals is found unchanged at the second time', async () => {
    const capitals = specOf('users: [{name: ann, email: Ann@Example.com}]');
    await converge(capitals, secrets);
    expect(await converge(capitals, secrets)).toEqual([]);
  });
});

describe('secrets that Keycloak is told of', () => {
  const changing = (...held: readonly string[]) => {
    const now = { held };
    return { now, live: { current: () => now.held[0] ?? '', accepted: () => now.held } };
  };

  test('are rotated while tokens are issued and the realm is looked after, without a refusal', async () => {
    const operator = changing(keycloak.clientSecret);
    const own = changing(ISSUER_SECRET);
    const admin = () =>
      new KeycloakAdmin({ url: keycloak.url, clientId: 'delos-operator', clientSecret: operator.live });
    const issue = (secret: IssuerSettings['secret']) => issueToken({ ...issuer(), secret }, 'ann', 600);
    const before = await issue(own.live);
    const counts = { issued: 0, looked: 0 };
    let running = true;
    const repeat = async (work: () => Promise<void>): Promise<void> => {
      while (running) await work();
    };
    const load = Promise.all([
      repeat(async () => {
        expect((await issue(own.live)).user).toBe('ann');
        counts.issued += 1;
      }),
      repeat(async () => {
        await admin().get(z.looseObject({}), '/realms/delos');
        counts.looked += 1;
      }),
    ]);
    const more = async (): Promise<void> => {
      const { issued, looked } = counts;
      const enough = async (): Promise<void> => {
        while (running && (counts.issued < issued + 3 || counts.looked < looked + 3)) await sleep(20);
      };
      await Promise.race([enough(), load]);
    };
    /** As the command `realm` does, with what the files say now. */
    const tell = () => convergeRealm(admin(), spec, { issuer: own.live.current() });
    const rotate = async (operatorNext: string, issuerNext: string): Promise<void> => {
      const [operatorFormer, issuerFormer] = [operator.live.current(), own.live.current()];
      operator.now.held = [operatorFormer, operatorNext];
      own.now.held = [issuerFormer, issuerNext];
      await more();
      expect(await tell()).toEqual([]);
      operator.now.held = [operatorNext, operatorFormer];
      own.now.held = [issuerNext, issuerFormer];
      await more();
      expect([...(await tell())].sort()).toEqual([
        'client delos-issuer changed',
        'client delos-operator of master got another secret',
        'issuer of tokens changed',
      ]);
      operator.now.held = [operatorNext];
      own.now.held = [issuerNext];
      await more();
      expect(await tell()).toEqual([]);
    };
    try {
      await rotate('another-secret-of-the-operator', 'another-secret-of-the-issuer');
      const former = new KeycloakAdmin({
        url: keycloak.url,
        clientId: 'delos-operator',
        clientSecret: keycloak.clientSecret,
      });
      await expect(former.waitUntilReady()).rejects.toMatchObject({ code: 'ERR_UNAUTHENTICATED' });
      await expect(issue(ISSUER_SECRET)).rejects.toMatchObject({ code: 'ERR_REQUEST' });
      // What was issued stays good: it is signed by the realm.
      expect(await authenticate(before.token)).toMatchObject({ user: 'ann' });
      // A name that there is not is told as such, also while there are two.
      own.now.held = ['not-the-one', ...own.now.held];
      await expect(issueToken({ ...issuer(), secret: own.live }, 'nobody', 600)).rejects.toMatchObject({
        code: 'ERR_NOT_FOUND',
      });
      own.now.held = own.now.held.slice(1);
      await rotate(keycloak.clientSecret, ISSUER_SECRET);
    } finally {
      running = false;
      await load;
    }
    expect((await issue(ISSUER_SECRET)).user).toBe('ann');
  });
});

providersSuite(() => ({ keycloak, database, slapd, databaseEnv: postgres.env(database.name) }));
