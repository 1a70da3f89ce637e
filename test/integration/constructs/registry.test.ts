import { createHash } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { keySetOf, REGISTRY_AUTHORIZE_PATH, REGISTRY_ISSUER, REGISTRY_SERVICE, REGISTRY_TOKEN_PATH } from '@delos/core';
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApoloClient, apoloClient } from '../../../peers/src/apolo.ts';
import { pullCredential } from '../../../runtime/service/src/api/resources/registry/pull-credential.ts';
import { registrySettings } from '../../../runtime/service/src/api/resources/registry/settings.ts';
import { exchange } from '../../support/edge/raw-connection.ts';
import { type Crane, crane } from '../../support/registry/crane.ts';
import { type RegistryPlatform, registryPlatform } from '../../support/registry/platform.ts';
import { signingKey, type TestRegistry } from '../../support/registry/server.ts';
import type { TestApi, TestIssuer } from '../../support/service/control-api.ts';

/*
 * The platform's registry behind the gateway's own Caddyfile, with the real control API. In project acme/one alice is a writer and
 * rita a reader; bob is in other/hidden, noel in none.
 */

let platform: RegistryPlatform;
let issuer: TestIssuer;
let registry: TestRegistry;
let api: TestApi;
let host: string;
const as = (user: string): Crane => platform.as(user);

beforeAll(async () => {
  platform = await registryPlatform(['alice', 'rita', 'bob', 'noel']);
  ({ issuer, registry, api, host } = platform);
});
afterAll(() => platform?.stop());

const basic = async (user: string): Promise<string> =>
  `Basic ${Buffer.from(`${user}:${await issuer.token(user)}`).toString('base64')}`;
const ask = async (user: string, method: string, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`http://${host}${path}`, { method, ...init, headers: { authorization: await basic(user), ...init.headers } });
const tokenOf = async (user: string, ...scopes: readonly string[]): Promise<Response> => {
  const query = new URLSearchParams({ service: REGISTRY_SERVICE });
  for (const scope of scopes) query.append('scope', scope);
  return ask(user, 'GET', `${REGISTRY_TOKEN_PATH}?${query}`);
};
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const OCI = {
  accept: 'application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json',
};

describe('crane', () => {
  test('pulls for a reader what a writer has pushed', async () => {
    const digest = await as('alice').push(`${host}/acme/one/app:1`, 'the first');
    expect(await as('rita').ok('digest', `${host}/acme/one/app:1`)).toBe(`${digest}\n`);
    expect(await as('rita').content(`${host}/acme/one/app:1`)).toMatchObject({ code: 0, stdout: 'the first' });
  });

  test.each([
    ['rita', 'acme/one/app:2', 'DENIED: rita may only read in project acme/one'],
    ['bob', 'acme/one/app:2', 'DENIED: bob is no member of project acme/one, or there is none'],
    ['alice', 'other/hidden/app:1', 'DENIED: alice is no member of project other/hidden, or there is none'],
    ['alice', 'acme/none/app:1', 'DENIED: alice is no member of project acme/none, or there is none'],
    [
      'alice',
      'acme/app:1',
      'DENIED: "acme/app" is the name of no image of a project; images are named ORG/PROJECT/NAME',
    ],
    ['nobody', 'acme/one/app:2', 'UNAUTHORIZED: the registry gives images to nobody without a token'],
  ])('is refused a push, and told why: %s to %s', async (user, name, words) => {
    await expect(as(user).push(`${host}/${name}`, 'refused')).rejects.toThrow(words);
  });

  test.each(['bob', 'noel', 'nobody'])('gives no image to %s', async (user) => {
    const { code, stderr } = await as(user).content(`${host}/acme/one/app:1`);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/DENIED|UNAUTHORIZED/);
  });

  test('copies within what its user may read, and deletes what its user may write', async () => {
    const digest = await as('alice').push(`${host}/acme/tight/tool/deep:1`, 'a tool');
    await as('alice').ok('copy', `${host}/acme/tight/tool/deep:1`, `${host}/acme/one/tool:1`);
    expect(await as('rita').ok('digest', `${host}/acme/one/tool:1`)).toBe(`${digest}\n`);
    expect((await as('rita').run('delete', `${host}/acme/one/tool@${digest}`)).stderr).toContain('DENIED');
    await as('alice').ok('delete', `${host}/acme/one/tool@${digest}`);
    expect((await as('rita').run('digest', `${host}/acme/one/tool:1`)).code).not.toBe(0);
    expect(await as('alice').ok('digest', `${host}/acme/tight/tool/deep:1`)).toBe(`${digest}\n`);
  });

  test('lists what its user may see', async () => {
    await as('bob').push(`${host}/other/hidden/1st:1`, 'hidden');
    expect(await as('bob').ok('catalog', host)).toBe('other/hidden/1st\n');
    expect(await as('alice').ok('catalog', host)).toBe('acme/one/app\nacme/one/tool\nacme/tight/tool/deep\n');
    expect(await as('rita').ok('catalog', host)).toBe('acme/one/app\nacme/one/tool\n');
    expect(await as('noel').ok('catalog', host)).toBe('');
    expect((await as('nobody').run('catalog', host)).code).not.toBe(0);
  });
});

describe('the official client', () => {
  let alice: ApoloClient;
  beforeAll(async () => {
    alice = await apoloClient();
    await alice.ok(['config', 'login-with-token', await issuer.token('alice'), `http://${host}/api/v1`]);
  });
  afterAll(() => alice?.close());

  test('lists images and tags, says size and digest, and removes a tag', async () => {
    const digest = await as('alice').push(`${host}/acme/one/app:latest`, 'the last');
    expect((await alice.ok(['image', 'ls', '--full-uri'])).match(/image:\S+/g)).toEqual([
      'image://default/acme/one/app',
      'image://default/acme/one/tool',
    ]);
    expect(await alice.ok(['image', 'tags', '-l', 'image:app'])).toMatch(/^ *1 +\d+ Bytes.*^ *latest +\d+ Bytes/ms);
    expect(await alice.ok(['image', 'digest', 'image:app:latest'])).toContain(digest);
    expect(await alice.ok(['image', 'size', 'image:app:latest'])).toMatch(/\d/);
    await alice.ok(['image', 'rm', 'image:app:latest']);
    expect(await alice.ok(['image', 'tags', 'image:app'])).not.toContain('latest');
  });

  test('is told why in one line', async () => {
    const { code, stderr } = await alice.run(['image', 'tags', 'image:/hidden/app']);
    expect([code, stderr.trim()]).toEqual([77, expect.stringContaining('is no member of project acme/hidden')]);
  });
});

describe('a token', () => {
  test('says for whom, for what and until when, and nothing more', async () => {
    const response = await tokenOf('rita', 'repository:acme/one/app:pull', 'repository:other/hidden/1st:pull');
    const answer = (await response.json()) as { token: string; access_token: string; expires_in: number };
    expect(answer).toMatchObject({ access_token: answer.token, expires_in: 300 });
    const { iat = 0, exp, ...claims } = decodeJwt(answer.token);
    expect(exp).toBe(iat + 300);
    expect(claims).toMatchObject({
      iss: REGISTRY_ISSUER,
      aud: REGISTRY_SERVICE,
      sub: 'rita',
      access: [{ type: 'repository', name: 'acme/one/app', actions: ['pull'] }],
    });
  });

  test.each([
    ['service=another', 400],
    [`service=${REGISTRY_SERVICE}&scope=nonsense`, 400],
    [`scope=${Array.from({ length: 21 }, () => 'repository:acme/one/app:pull').join('+')}`, 400],
    ['scope=repository:acme/one/app:push', 403],
    ['scope=repository:acme/one/app:pull', 200],
    ['scope=registry:catalog:*', 200],
    ['scope=unknown:thing:do', 200],
    ['', 200],
  ])('is asked for by ?%s and answered %d', async (query, status) => {
    expect((await ask('rita', 'GET', `${REGISTRY_TOKEN_PATH}?${query}`)).status).toBe(status);
  });

  test('of nobody, of a stranger and by another scheme is refused, with how to do it', async () => {
    for (const authorization of ['', 'Basic bm9ib2R5', 'Basic dG9rZW46bm9uc2Vuc2U=', 'Bearer nonsense', 'Digest x']) {
      const response = await fetch(`http://${host}${REGISTRY_TOKEN_PATH}`, {
        headers: authorization === '' ? {} : { authorization },
      });
      expect([authorization, response.status]).toEqual([authorization, 401]);
      expect(response.headers.get('www-authenticate')).toMatch(/^Basic /);
      expect(await response.json()).toMatchObject({ errors: [{ code: 'UNAUTHORIZED' }], code: 'ERR_UNAUTHENTICATED' });
    }
  });

  test('opens what it is for, and nothing else', async () => {
    const { token } = (await (await tokenOf('alice', 'repository:acme/one/app:pull')).json()) as { token: string };
    const status = async (method: string, path: string): Promise<number> =>
      (await fetch(`http://${host}${path}`, { method, headers: { ...OCI, ...bearer(token).headers } })).status;
    expect(await status('GET', '/v2/acme/one/app/manifests/1')).toBe(200);
    expect(await status('GET', '/v2/')).toBe(200);
    expect(await status('POST', '/v2/acme/one/app/blobs/uploads/')).toBe(401);
    expect(await status('DELETE', `/v2/acme/one/app/manifests/sha256:${'0'.repeat(64)}`)).toBe(401);
    expect(await status('GET', '/v2/acme/tight/tool/deep/tags/list')).toBe(401);
    // The right to list is another one, which the registry itself does not know.
    expect(await status('GET', '/v2/_catalog')).toBe(401);
  });

  test.each([
    ['that has expired', { exp: -120 }, undefined],
    ['for another service', { aud: 'another' }, undefined],
    ['of another issuer', { iss: 'another' }, undefined],
    ['of another key', {}, 'another'],
  ])('%s is refused by the registry', async (_, claims, other) => {
    const own = registrySettings(registry.url, registry.key);
    const { privateKey } = other === undefined ? own : registrySettings(registry.url, signingKey());
    const now = Math.floor(Date.now() / 1000);
    const given = {
      iss: REGISTRY_ISSUER,
      aud: REGISTRY_SERVICE,
      ...claims,
      exp: now + ('exp' in claims ? claims.exp : 60),
    };
    const access = [{ type: 'repository', name: 'acme/one/app', actions: ['pull'] }];
    const token = await new SignJWT({ ...given, access })
      .setProtectedHeader({ alg: 'ES256', kid: own.keyId })
      .sign(privateKey);
    const response = await fetch(`http://${host}/v2/acme/one/app/tags/list`, bearer(token));
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain(`realm="http://${host}${REGISTRY_TOKEN_PATH}"`);
  });
});

describe('a password that is a token of the platform', () => {
  test.each([
    ['alice', 'GET', '/v2/', 200],
    ['alice', 'GET', '/v2/acme/one/app/tags/list', 200],
    ['rita', 'GET', '/v2/acme/one/app/tags/list', 200],
    ['rita', 'HEAD', '/v2/acme/one/app/manifests/1', 200],
    ['rita', 'POST', '/v2/acme/one/app/blobs/uploads/', 403],
    ['alice', 'POST', '/v2/acme/one/app/blobs/uploads/', 202],
    ['alice', 'GET', '/v2/acme/one/none/tags/list', 404],
    ['bob', 'GET', '/v2/acme/one/app/tags/list', 403],
    ['noel', 'GET', '/v2/acme/one/app/tags/list', 403],
    ['alice', 'GET', '/v2/other/hidden/1st/tags/list', 403],
    ['alice', 'POST', '/v2/acme/one/app/blobs/uploads/?mount=sha256:0&from=other/hidden/1st', 401],
    ['alice', 'PUT', '/v2/acme/manifests/1', 403],
  ])('lets %s %s %s: %d', async (user, method, path, status) => {
    expect((await ask(user, method, path, { headers: OCI })).status).toBe(status);
  });

  test('is not passed on to the registry', () => {
    expect(registry.logged()).not.toMatch(/Basic /);
  });

  test.each([
    '/v2/acme/one/../../other/hidden/1st/tags/list',
    '/v2/acme/one/%2e%2e/%2e%2e/other/hidden/1st/tags/list',
    '/v2/acme/one/..%2f..%2fother/hidden/1st/tags/list',
    '/v2//other/hidden/1st/tags/list',
    '/v2/other%2fhidden/1st/tags/list',
    '/v2/other/hidden/1st/tags/list?x=/v2/acme/one/app/tags/list',
    '/v2/other/hidden/1st/tags/list/../../../../acme/one/app/tags/list/',
    '/v2/acme/one/app/manifests/x/../../../../../other/hidden/1st/tags/list',
    '/v2/_catalog/',
    '/v2/./_catalog',
    '/v2//_catalog',
    '/v2/%5fcatalog',
    '/v2/x/../_catalog',
    '/V2/_CATALOG',
  ])('opens nothing of others by a path: %s', async (path) => {
    const headers = `Host: ${host}\r\nAuthorization: ${await basic('alice')}\r\nConnection: close\r\n\r\n`;
    for (const forged of ['', 'X-Forwarded-Uri: /v2/acme/one/app/tags/list\r\nX-Forwarded-Method: GET\r\n']) {
      const answer = await exchange(platform.gateway.ports.http, `GET ${path} HTTP/1.1\r\n${forged}${headers}`, 10_000);
      expect(answer).toMatch(/^HTTP\/1\.1 \d/);
      expect(answer).not.toMatch(/hidden\/1st","tags"|other\/hidden\/1st"[,\]]/);
    }
  });

  test('may be asked about by anybody who has one, and then says no more than a token', async () => {
    const forged = { 'x-forwarded-method': 'PUT', 'x-forwarded-uri': '/v2/other/hidden/1st/manifests/1' };
    const response = await fetch(`http://127.0.0.1:${new URL(api.url).port}${REGISTRY_AUTHORIZE_PATH}`, {
      headers: { ...forged, authorization: await basic('alice') },
    });
    expect([response.status, response.headers.get('authorization')]).toEqual([403, null]);
  });
});

describe('the list of repositories', () => {
  const pages = async (user: string, n: number): Promise<readonly (readonly string[])[]> => {
    const found: string[][] = [];
    for (let path: string | undefined = `/v2/_catalog?n=${n}`; path !== undefined; ) {
      const response: Response = await ask(user, 'GET', path);
      expect(response.status).toBe(200);
      found.push(((await response.json()) as { repositories: string[] }).repositories);
      path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
    }
    return found;
  };

  test('comes in pages of what the caller may see, each name once', async () => {
    await as('alice').push(`${host}/acme/one/app/9:1`, 'below another');
    const all = (await pages('alice', 100)).flat();
    expect(all.toSorted()).toEqual(['acme/one/app', 'acme/one/app/9', 'acme/one/tool', 'acme/tight/tool/deep']);
    for (const n of [1, 2, 3]) expect((await pages('alice', n)).flat()).toEqual(all);
    expect((await pages('alice', 1)).map((page) => page.length)).toEqual([1, 1, 1, 1]);
    expect((await pages('admin', 2)).flat()).toEqual([...all, 'other/hidden/1st']);
  });

  test.each(['n=x', 'n=-1', 'last=../x', 'last=%00'])('refuses ?%s', async (query) => {
    expect((await ask('alice', 'GET', `/v2/_catalog?${query}`)).status).toBe(400);
  });
});

describe('a job from an image of the platform', () => {
  const submit = (user: string, image: string) =>
    api.request(user, 'POST', '/jobs?from_preset', {
      ...{ preset_name: 'cpu-small', cluster_name: 'default', org_name: 'acme', project_name: 'one', image },
    });

  test.each([
    ['alice', 'acme/one/app:1', 202, ''],
    ['alice', 'acme/tight/tool/deep:1', 202, ''],
    ['alice', 'other/hidden/1st:1', 403, 'image: alice may not read the images of project other/hidden'],
    ['alice', 'app:1', 400, 'image: "app" is the name of no image of a project'],
  ])('of %s, %s, is answered %d', async (user, name, status, words) => {
    const { status: answered, json } = await submit(user, `${host}/${name}`);
    expect([answered, json.error ?? '']).toEqual([status, expect.stringContaining(words)]);
  });

  test('is pulled by a credential for the images of its project alone', async () => {
    const { registry: settings } = api.deps.settings;
    if (settings === undefined) throw new Error('there is no registry');
    const credential = await pullCredential(settings, { org: 'acme', project: 'one' }, Math.floor(Date.now() / 1000));
    const node = await crane(host, { user: 'token', password: credential });
    expect(await node.content(`${host}/acme/one/app:1`)).toMatchObject({ code: 0, stdout: 'the first' });
    await expect(node.push(`${host}/acme/one/app:2`, 'refused')).rejects.toThrow('DENIED');
    for (const name of ['acme/tight/tool/deep:1', 'other/hidden/1st:1']) {
      expect((await node.run('digest', `${host}/${name}`)).code).not.toBe(0);
    }
    expect((await node.run('catalog', host)).code).not.toBe(0);
    await node.stop();
  });
});

test('an upload goes on after the registry was killed, and takes 24 MiB with a request of its own', async () => {
  const begun = await ask('alice', 'POST', '/v2/acme/one/big/blobs/uploads/');
  const [first, second] = [Buffer.alloc(24 * 2 ** 20, 'a'), Buffer.from('the end')];
  const part = await ask('alice', 'PATCH', begun.headers.get('location') ?? '', { body: first });
  expect([part.status, part.headers.get('range')]).toEqual([202, `0-${first.length - 1}`]);
  await registry.kill();
  await registry.up();
  const digest = createHash('sha256').update(first).update(second).digest('hex');
  const location = part.headers.get('location') ?? '';
  const end = await ask('alice', 'PUT', `${location}&digest=sha256:${digest}`, { body: second });
  expect(end.status).toBe(201);
  const blob = await ask('rita', 'GET', `/v2/acme/one/big/blobs/sha256:${digest}`);
  expect((await blob.arrayBuffer()).byteLength).toBe(first.length + second.length);
});

test('an upload goes on while the secret that signs where it stands is another, and after a restart; then the former one signs nothing', async () => {
  const { secretFile: file } = registry;
  const answer = await tokenOf('alice', 'repository:acme/one/parts:pull,push');
  const { headers } = bearer(((await answer.json()) as { token: string }).token);
  const go = async (method: string, location: string, body?: string): Promise<Response> =>
    fetch(new URL(location, `http://${host}`), {
      method,
      headers,
      ...(body === undefined ? {} : { body: Buffer.from(body) }),
    });
  const onward = (response: Response): string => {
    expect(response.status).toBe(202);
    return response.headers.get('location') ?? '';
  };
  const begin = async (): Promise<string> => onward(await go('POST', '/v2/acme/one/parts/blobs/uploads/'));
  const put = async (names: Readonly<Record<string, string>>): Promise<void> => {
    for (const end of ['', '.next', '.former']) {
      const text = names[end];
      if (text === undefined) await rm(`${file}${end}`, { force: true });
      else await writeFile(`${file}${end}`, text);
    }
    // What was read last is gone by for half a second.
    await sleep(700);
  };
  const first = 'a-secret-of-the-test';
  const [held, abandoned] = [await begin(), await begin()];
  let at = onward(await go('PATCH', held, 'one '));
  await put({ '': first, '.next': 'the-second' });
  at = onward(await go('PATCH', at, 'two '));
  await put({ '': 'the-second', '.former': first });
  at = onward(await go('PATCH', at, 'three '));
  await put({ '': 'the-second' });
  expect((await go('PATCH', abandoned, 'late')).status).toBe(404);
  await registry.kill();
  await registry.up();
  const whole = 'one two three four';
  const digest = `sha256:${createHash('sha256').update(whole).digest('hex')}`;
  at = onward(await go('PATCH', at, 'four'));
  expect((await go('PUT', `${at}&digest=${digest}`)).status).toBe(201);
  expect(await (await go('GET', `/v2/acme/one/parts/blobs/${digest}`)).text()).toBe(whole);
  const forged = new URL(await begin(), `http://${host}`);
  forged.searchParams.set('_state', `${forged.searchParams.get('_state')?.slice(0, -8)}AAAAAAA=`);
  expect((await go('PATCH', `${forged.pathname}${forged.search}`, 'x')).status).toBe(404);
});

describe('the key of tokens, while it is rotated', () => {
  /** Longer than the registry goes by what it read last. */
  const seen = (): Promise<void> => sleep(700);
  const statusOf = async (token: string): Promise<number> => {
    const response = await fetch(`http://${host}/v2/acme/one/app/tags/list`, bearer(token));
    await response.arrayBuffer();
    return response.status;
  };
  const issued = async (): Promise<string> => {
    const answer = (await (await tokenOf('rita', 'repository:acme/one/app:pull')).json()) as { token: string };
    return answer.token;
  };

  test('never refuses who pushes and pulls, and refuses what the former one signed at the end', async () => {
    const { keyFile, keysFile, key: former } = registry;
    const next = signingKey();
    const before = await issued();
    const nodes = await pullCredential(
      registrySettings('', former),
      { org: 'acme', project: 'one' },
      Math.floor(Date.now() / 1000),
    );
    const push = async (tag: string): Promise<void> => {
      const image = `${host}/acme/one/rotated:${tag}`;
      await as('alice').push(image, tag);
      expect(await as('rita').content(image)).toMatchObject({ code: 0, stdout: tag });
    };
    const asNode = async (): Promise<number> => {
      const query = new URLSearchParams({ service: REGISTRY_SERVICE, scope: 'repository:acme/one/app:pull' });
      const authorization = `Basic ${Buffer.from(`token:${nodes}`).toString('base64')}`;
      return (await fetch(`http://${host}${REGISTRY_TOKEN_PATH}?${query}`, { headers: { authorization } })).status;
    };

    // Each of the two sees a step before the other does.
    await writeFile(`${keyFile}.next`, next);
    await push('accept-both-unseen');
    await writeFile(keysFile, keySetOf(former, next));
    await seen();
    await push('accept-both');
    await writeFile(`${keyFile}.former`, former);
    await writeFile(`${keyFile}.new`, next);
    await rename(`${keyFile}.new`, keyFile);
    await rm(`${keyFile}.next`);
    await push('use-the-new');
    const after = await issued();
    expect(decodeProtectedHeader(after).kid).not.toBe(decodeProtectedHeader(before).kid);
    expect([await statusOf(before), await statusOf(after), await asNode()]).toEqual([200, 200, 200]);
    await rm(`${keyFile}.former`);
    await writeFile(keysFile, keySetOf(next));
    await seen();
    await push('refuse-the-former');
    expect([await statusOf(before), await statusOf(after), await asNode()]).toEqual([401, 200, 401]);
  });

  test('that cannot be read for a moment is the one that was read last', async () => {
    const token = await issued();
    await writeFile(registry.keysFile, 'nonsense');
    await seen();
    expect(await statusOf(token)).toBe(200);
    await rm(registry.keysFile);
    await seen();
    expect(await statusOf(token)).toBe(200);
  });
});
