import { createHash, randomBytes } from 'node:crypto';
import { synthesize } from '@delos/constructs';
import { type IdentitySpec, identitySpec, parseConfig } from '@delos/core';
import { freePort } from '@delos/host';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { authenticator } from '../../../runtime/service/src/api/auth.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import {
  convergeIdentity,
  handleToken,
  type IdentitySecrets,
  type IssuerSettings,
  issueToken,
  KeycloakAdmin,
} from '../../../runtime/service/src/identity/index.ts';
import { Browser } from '../../support/browser.ts';
import { startKeycloak, type TestKeycloak } from '../../support/service/keycloak.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';

const PASSWORDS = { admin: 'first-password-of-admin', ann: 'first-password-of-ann' };
const ISSUER_SECRET = randomBytes(24).toString('hex');
const CALLBACK = 'http://127.0.0.1:54540';
const PUBLIC_URL = 'http://127.0.0.1:8080';

let keycloak: TestKeycloak;
let postgres: TestPostgres;
let database: Database;
let spec: IdentitySpec;
const secrets: IdentitySecrets = { issuer: ISSUER_SECRET, passwords: PASSWORDS };

/** The realm as the constructs say it, out of the very ConfigMap that is deployed. */
function specOf(yaml: string): IdentitySpec {
  const images = { postgres: 'p:1', keycloak: 'k:1', runtime: 'r:1', caddy: 'c:1' };
  const { objects } = synthesize(parseConfig(yaml, 'delos.yaml'), {
    images,
    publicUrl: PUBLIC_URL,
    apiServer: { addresses: ['192.0.2.1'], port: 6443 },
    exposure: { kind: 'load-balancer' },
  });
  const map = objects.find(({ manifest }) => manifest.kind === 'ConfigMap' && manifest.metadata.name === 'platform');
  const { data } = z.object({ data: z.object({ 'identity.json': z.string() }) }).parse(map?.manifest);
  return identitySpec.parse(JSON.parse(data['identity.json']));
}

const realmUrl = (): string => `${keycloak.url}/realms/delos`;
const issuer = (): IssuerSettings => ({ issuer: realmUrl(), realmUrl: realmUrl(), secret: ISSUER_SECRET });
const authenticate = (token: string) =>
  authenticator(database.db, {
    issuer: realmUrl(),
    jwksUrl: `${realmUrl()}/protocol/openid-connect/certs`,
    audience: 'apolo',
    admin: 'admin',
  })(`Bearer ${token}`);

beforeAll(async () => {
  [keycloak, postgres] = await Promise.all([startKeycloak(), startPostgres()]);
  database = await postgres.connect();
  spec = specOf('users: [{name: ann, email: ann@example.com}]');
});
afterAll(async () => {
  await database?.close();
  await Promise.all([keycloak?.stop(), postgres?.stop()]);
});

describe('the realm converges', () => {
  test('made at the first time, unchanged at the second', async () => {
    const first = await convergeIdentity(keycloak.admin, spec, secrets);
    expect(first).toEqual(expect.arrayContaining(['realm delos made', 'client apolo made', 'user admin made']));
    expect(await convergeIdentity(keycloak.admin, spec, secrets)).toEqual([]);
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
    expect(await convergeIdentity(keycloak.admin, spec, secrets)).toEqual([
      'realm delos changed',
      'client apolo changed',
    ]);
    expect(await convergeIdentity(keycloak.admin, spec, secrets)).toEqual([]);
  });

  test('two at once do not disturb each other', async () => {
    const other = { ...spec, users: [...spec.users, { username: 'zoe', email: 'zoe@example.com' }] };
    const all = { ...secrets, passwords: { ...PASSWORDS, zoe: 'first-password-of-zoe' } };
    await Promise.all([1, 2, 3].map(() => convergeIdentity(keycloak.admin, other, all)));
    expect(await convergeIdentity(keycloak.admin, other, all)).toEqual([]);
  });

  test('a user who left the configuration can no longer log in, and can again when named again', async () => {
    const refused = `user zoe locked out: no longer in the configuration`;
    expect(await convergeIdentity(keycloak.admin, spec, secrets)).toEqual([refused]);
    await expect(issueToken(issuer(), 'zoe', 600)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    const again = { ...spec, users: [...spec.users, { username: 'zoe', email: 'zoe@example.com' }] };
    expect(await convergeIdentity(keycloak.admin, again, secrets)).toEqual(['user zoe changed']);
    expect((await issueToken(issuer(), 'zoe', 600)).user).toBe('zoe');
  });

  test('another secret of the issuer is taken over', async () => {
    const other = { ...secrets, issuer: 'another-secret' };
    expect(await convergeIdentity(keycloak.admin, spec, other)).toContain('issuer of tokens changed');
    await expect(issueToken(issuer(), 'ann', 600)).rejects.toMatchObject({ code: 'ERR_REQUEST' });
    await convergeIdentity(keycloak.admin, spec, secrets);
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

/** The client's login, by HTTP: a browser, then the code exchange. */
async function login(user: string, password: string, redirect = CALLBACK) {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const query = new URLSearchParams({
    response_type: 'code',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    client_id: 'apolo',
    redirect_uri: redirect,
    scope: 'offline_access',
    audience: 'apolo',
  });
  const browser = new Browser();
  const page = await browser.open(`${realmUrl()}/protocol/openid-connect/auth?${query}`, redirect);
  const after = await browser.submit(page, { username: user, password }, redirect);
  const code = after.status === 0 ? (new URL(after.url).searchParams.get('code') ?? '') : '';
  return { page, after, code, verifier };
}

async function exchange(form: Readonly<Record<string, string>>) {
  const response = await fetch(`${realmUrl()}/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: 'apolo', ...form }),
  });
  const body = z
    .looseObject({
      access_token: z.string().optional(),
      refresh_token: z.string().optional(),
      expires_in: z.number().optional(),
    })
    .parse(await response.json());
  return { status: response.status, ...body };
}

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
