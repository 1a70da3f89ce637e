import { DelosError, type JobDesire, keySetOf, publicKeyOf, REGISTRY_ISSUER, REGISTRY_SERVICE } from '@delos/core';
import fc from 'fast-check';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { withPullCredential } from '../../../../runtime/service/src/api/agents/pull-credentials.ts';
import type { Caller } from '../../../../runtime/service/src/api/deps.ts';
import { catalogPage } from '../../../../runtime/service/src/api/resources/registry/catalog.ts';
import { passwordIn } from '../../../../runtime/service/src/api/resources/registry/credentials.ts';
import { projectOfRepository } from '../../../../runtime/service/src/api/resources/registry/names.ts';
import { ownRepository } from '../../../../runtime/service/src/api/resources/registry/platform-image.ts';
import {
  pullCredential,
  readPullCredential,
} from '../../../../runtime/service/src/api/resources/registry/pull-credential.ts';
import { registrySettings } from '../../../../runtime/service/src/api/resources/registry/settings.ts';
import {
  type Access,
  CATALOG,
  readToken,
  signToken,
  TOKEN_SECONDS,
} from '../../../../runtime/service/src/api/resources/registry/token.ts';
import { grant } from '../../../../runtime/service/src/api/resources/registry-tokens/grant.ts';
import { parseScopes, scopesOfRequest } from '../../../../runtime/service/src/api/resources/registry-tokens/scopes.ts';
import { signingKey } from '../../../support/registry/server.ts';

const repository = (name: string, ...actions: readonly string[]): Access => ({ type: 'repository', name, actions });

describe('scopes', () => {
  test.each<[string, readonly Access[]]>([
    ['', []],
    ['repository:a/b/c:pull', [repository('a/b/c', 'pull')]],
    [
      'repository:a/b/c:pull,push repository:d/e/f:pull',
      [repository('a/b/c', 'pull', 'push'), repository('d/e/f', 'pull')],
    ],
    ['repository(plugin):a/b/c:pull,pull', [repository('a/b/c', 'pull')]],
    ['repository:a/b/c:', [repository('a/b/c')]],
    ['repository:host:5000/a/b:pull', [repository('host:5000/a/b', 'pull')]],
    ['registry:catalog:*', [{ type: 'registry', name: 'catalog', actions: ['*'] }]],
  ])('%j are read', (text, scopes) => {
    expect(parseScopes([text])).toEqual(scopes);
  });

  test.each(['x', 'repository:a', 'repository::pull', ':a:pull', 'repository:a:PULL', 'Repository:a:pull'])(
    '%j is none, and its field is named',
    (text) => {
      expect(() => parseScopes([text])).toThrow(`expected TYPE:NAME:ACTION[,ACTION], found ${JSON.stringify(text)}`);
    },
  );

  test('are at most 20, of 8 KiB', () => {
    const one = 'repository:a/b/c:pull';
    expect(parseScopes(Array.from({ length: 20 }, () => one))).toHaveLength(20);
    expect(() => parseScopes(Array.from({ length: 21 }, () => one))).toThrow('expected at most 20 scopes, found 21');
    expect(() => parseScopes([`repository:${'a'.repeat(9_000)}:pull`])).toThrow(DelosError);
  });

  test('come back from the text that they are written as', () => {
    const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
    const name = fc.array(word, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    const actions = fc.uniqueArray(fc.constantFrom('pull', 'push', 'delete', '*'), { maxLength: 4 });
    const scopes = fc.array(fc.record({ type: word, name, actions }), { maxLength: 10 });
    fc.assert(
      fc.property(scopes, fc.boolean(), (given, together) => {
        const texts = given.map((scope) => `${scope.type}:${scope.name}:${scope.actions.join(',')}`);
        expect(parseScopes(together ? [texts.join(' ')] : texts)).toEqual(given);
      }),
    );
  });
});

describe('a request to the registry', () => {
  test.each<[string, string, readonly Access[]]>([
    ['GET', '/v2/', []],
    ['GET', '/v2/_catalog?n=1', []],
    ['GET', '/v2/a/b/c/tags/list?n=30', [repository('a/b/c', 'pull')]],
    ['HEAD', '/v2/a/b/c/d/manifests/1', [repository('a/b/c/d', 'pull')]],
    ['PUT', '/v2/a/b/manifests/manifests/1', [repository('a/b/manifests', 'pull', 'push')]],
    ['DELETE', '/v2/a/b/c/manifests/sha256:0', [repository('a/b/c', 'delete')]],
    ['POST', '/v2/a/b/c/blobs/uploads/', [repository('a/b/c', 'pull', 'push')]],
    [
      'POST',
      '/v2/a/b/c/blobs/uploads/?mount=x&from=d%2Fe%2Ff',
      [repository('a/b/c', 'pull', 'push'), repository('d/e/f', 'pull')],
    ],
    ['PATCH', '/v2/a/b/c/blobs/uploads/uuid?_state=x', [repository('a/b/c', 'pull', 'push')]],
    ['TRACE', '/v2/a/b/c/tags/list', []],
    ['GET', '/elsewhere/a/b/c/tags/list', []],
  ])('%s %s asks for %j', (method, uri, scopes) => {
    expect(scopesOfRequest(method, uri)).toEqual(scopes);
  });
});

test.each([
  ['org/project/name', { org: 'org', project: 'project' }],
  ['org/project/deep/name', { org: 'org', project: 'project' }],
  ['org/project', undefined],
  ['org', undefined],
  ['org/project/Name', undefined],
  ['org/project/../name', undefined],
  ['org//name/x', undefined],
  ['host:5000/project/name', undefined],
  [`org/project/${'n'.repeat(256)}`, undefined],
])('the repository %s is of %j', (name, project) => {
  expect(projectOfRepository(name)).toEqual(project);
});

const PROJECTS = [
  { org: 'acme', project: 'one' },
  { org: 'acme', project: 'two' },
  { org: 'other', project: 'hidden' },
];
const caller = (roles: Readonly<Record<string, 'reader' | 'writer'>>, admin = false): Caller => ({
  id: 7,
  user: 'ann',
  admin,
  roles: new Map(Object.entries(roles)),
});

describe('rights', () => {
  const ann = caller({ 'acme/one': 'writer', 'acme/two': 'reader', 'gone/gone': 'writer' });
  test.each<[string, Caller, readonly Access[], string | undefined]>([
    ['repository:acme/one/x:pull,push,delete', ann, [repository('acme/one/x', 'pull', 'push', 'delete')], undefined],
    ['repository:acme/one/x:*', ann, [repository('acme/one/x', 'pull', 'push', 'delete')], undefined],
    ['repository:acme/two/x:pull', ann, [repository('acme/two/x', 'pull')], undefined],
    ['repository:acme/two/x:pull,push', ann, [repository('acme/two/x', 'pull')], 'may only read'],
    ['repository:other/hidden/x:pull', ann, [], 'is no member'],
    ['repository:gone/gone/x:pull', ann, [], 'is no member'],
    ['repository:acme/x:pull', ann, [], 'name of no image'],
    // The first scope is refused with a reason. Further ones name sources of a mount: they are left out.
    ['repository:acme/one/x:push repository:other/hidden/x:pull', ann, [repository('acme/one/x', 'push')], undefined],
    [
      'repository:other/hidden/x:push repository:acme/one/x:pull',
      ann,
      [repository('acme/one/x', 'pull')],
      'is no member',
    ],
    ['registry:catalog:*', ann, [CATALOG], undefined],
    ['registry:other:* thing:x:y', ann, [], undefined],
    ['repository:other/hidden/x:push', caller({}, true), [repository('other/hidden/x', 'push')], undefined],
    ['repository:gone/gone/x:pull', caller({}, true), [], 'is no member'],
  ])('%s', (text, who, access, refusal) => {
    const granted = grant(who, parseScopes([text]), PROJECTS);
    expect(granted.access).toEqual(access);
    if (refusal === undefined) expect(granted.refusal).toBeUndefined();
    else expect(granted.refusal?.message).toContain(refusal);
  });

  test('nobody ever gets more than was asked for, nor anything of a project that is not theirs', () => {
    const name = fc.constantFrom('acme/one/x', 'acme/two/x', 'other/hidden/x', 'gone/gone/x', 'acme/x', 'x');
    const actions = fc.uniqueArray(fc.constantFrom<string[]>('pull', 'push', 'delete', '*', 'fly'));
    const scopes = fc.array(fc.record({ type: fc.constantFrom('repository', 'registry'), name, actions }), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(scopes, (asked) => {
        for (const { name: of, actions: given } of grant(ann, asked, PROJECTS).access) {
          const wanted = asked.filter((scope) => scope.name === of).flatMap((scope) => scope.actions);
          for (const action of given) expect(wanted.includes(action) || wanted.includes('*')).toBe(true);
          expect(of.startsWith('acme/one/') || (of.startsWith('acme/two/') && given.join() === 'pull')).toBe(true);
        }
      }),
    );
  });
});

describe('a token', () => {
  const key = signingKey();
  const settings = registrySettings('http://registry:5000/', key);
  const now = Math.floor(Date.now() / 1000);

  test('is checked by the key set that the registry has', async () => {
    const access = [repository('a/b/c', 'pull')];
    const token = await signToken(settings, { name: 'ann', id: 7 }, access, now);
    const set = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string() })) });
    const keys = createLocalJWKSet(set.parse(JSON.parse(keySetOf(key))));
    const { payload, protectedHeader } = await jwtVerify(token, keys);
    expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'JWT', kid: publicKeyOf(key).kid });
    const { jti, ...claims } = payload;
    expect(jti).toMatch(/^[0-9a-f-]{36}$/);
    expect(claims).toEqual({
      iss: REGISTRY_ISSUER,
      aud: REGISTRY_SERVICE,
      sub: 'ann',
      uid: 7,
      access,
      iat: now,
      nbf: now,
      exp: now + TOKEN_SECONDS,
    });
  });

  test('tells whose it is, where it gives the right and is still good', async () => {
    const user = { name: 'ann', id: 7 };
    const read = async (given: string) => readToken(settings, given, CATALOG);
    expect(await read(await signToken(settings, user, [CATALOG], now))).toBe(7);
    expect(await read(await signToken(settings, user, [repository('a/b/c', 'pull')], now))).toBeUndefined();
    expect(await read(await signToken(settings, user, [CATALOG], now - 2 * TOKEN_SECONDS))).toBeUndefined();
    const other = registrySettings('http://registry:5000', signingKey());
    expect(await read(await signToken(other, user, [CATALOG], now))).toBeUndefined();
    expect(await read('nonsense')).toBeUndefined();
  });

  test('is signed by a key of P-256 alone', () => {
    expect(settings.url).toBe('http://registry:5000');
    expect(() => registrySettings('http://registry:5000', 'nonsense')).toThrow('no private key of P-256');
  });
});

describe('a node that pulls for a job', () => {
  const settings = registrySettings('http://registry:5000', signingKey());
  const at = { registry: settings, publicUrl: 'https://ai.example.com' };
  const now = Math.floor(Date.now() / 1000);
  const desire = (image: string, action: 'run' | 'stop' = 'run'): JobDesire =>
    ({ kind: 'job', id: 'job-1', revision: 1, spec: { action, pod: { image } } }) as unknown as JobDesire;

  test('is told what to show for an image of the platform, and of whose project that is', async () => {
    const told = await withPullCredential(at, desire('ai.example.com/acme/one/app:1'), now);
    expect(told.spec).toMatchObject({ pull: { registry: 'ai.example.com', org: 'acme', project: 'one' } });
    const { pull } = told.spec as JobDesire['spec'];
    const of = await readPullCredential(settings, pull?.password ?? '');
    expect(of).toEqual({ org: 'acme', project: 'one' });
    const other = registrySettings('http://registry:5000', signingKey());
    expect(await readPullCredential(other, pull?.password ?? '')).toBeUndefined();
    // Neither is taken for the other.
    expect(await readToken(settings, pull?.password ?? '', CATALOG)).toBeUndefined();
    const token = await signToken(settings, { name: 'acme/one', id: 1 }, [CATALOG], now);
    expect(await readPullCredential(settings, token)).toBeUndefined();
    const old = await pullCredential(settings, { org: 'acme', project: 'one' }, now - 31 * 86_400);
    expect(await readPullCredential(settings, old)).toBeUndefined();
  });

  test.each([
    ['another registry', 'ghcr.io/acme/one/app:1'],
    ['another port', 'ai.example.com:5000/acme/one/app:1'],
    ['no project', 'ai.example.com/app:1'],
    ['Docker Hub', 'acme/one/app'],
  ])('is told nothing for an image of %s', async (_, image) => {
    expect(await withPullCredential(at, desire(image), now)).toEqual(desire(image));
  });

  test('is told nothing where there is nothing to start, and where there is no registry', async () => {
    const image = 'ai.example.com/acme/one/app:1';
    expect(await withPullCredential(at, desire(image, 'stop'), now)).toEqual(desire(image, 'stop'));
    expect(await withPullCredential({ publicUrl: at.publicUrl }, desire(image), now)).toEqual(desire(image));
  });
});

test.each([
  ['ai.example.com/acme/one/app:1', 'acme/one/app'],
  ['AI.example.com:443/acme/one/deep/app@sha256:0', 'acme/one/deep/app'],
  ['ai.example.com/acme', 'acme'],
  ['acme/one/app', undefined],
  ['other.example.com/acme/one/app', undefined],
])('the repository of the platform that %s names is %j', (image, repository) => {
  const at = { registry: registrySettings('http://registry:5000', signingKey()), publicUrl: 'https://ai.example.com' };
  expect(ownRepository(at, image)).toBe(repository);
});

test.each([
  [undefined, undefined],
  ['Bearer x', undefined],
  ['Basic !', undefined],
  [`Basic ${Buffer.from('no-colon').toString('base64')}`, undefined],
  [`Basic ${Buffer.from('user:a:b').toString('base64')}`, 'a:b'],
  [`basic ${Buffer.from(':x').toString('base64')}`, 'x'],
])('the password in %j is %j', (header, password) => {
  expect(passwordIn(header)).toBe(password);
});

describe('the list of repositories', () => {
  /** As the registry sorts: its own folder of a repository is named `_manifests`. */
  const order = (name: string): string => `${name}/_manifests`.replaceAll('/', '\0');
  const part = fc.stringMatching(/^[a-c1][a-c1-]{0,1}[a-c1]$/);
  const project = fc.tuple(part, part).map((parts) => parts.join('/'));
  const projects = fc.uniqueArray(project, { minLength: 1, maxLength: 6 });

  test('in pages is what the registry has of these projects, in its order, each once', async () => {
    await fc.assert(
      fc.asyncProperty(
        projects,
        fc.infiniteStream(fc.boolean()),
        fc.array(fc.tuple(fc.nat(5), fc.array(part, { minLength: 1, maxLength: 2 })), { maxLength: 30 }),
        fc.integer({ min: 1, max: 7 }),
        async (all, chosen, images, count) => {
          const names = [...new Set(images.map(([of, rest]) => `${all[of % all.length]}/${rest.join('/')}`))];
          const sorted = names.toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
          let asked = 0;
          const read = async (after: string, most: number): Promise<readonly string[]> => {
            asked += 1;
            return sorted.filter((name) => order(name) > order(after)).slice(0, most);
          };
          const visible = all.filter(() => chosen.next().value);
          const found: string[] = [];
          for (let after = '', more = true; more; ) {
            const page = await catalogPage(visible, { after, count }, read);
            expect(page.names.length).toBeLessThanOrEqual(count);
            if (page.more) expect(page.names).toHaveLength(count);
            found.push(...page.names);
            after = page.names.at(-1) ?? '';
            ({ more } = page);
          }
          expect(found).toEqual(sorted.filter((name) => visible.some((of) => name.startsWith(`${of}/`))));
          // Each page asks at most twice for a project.
          expect(asked).toBeLessThanOrEqual((found.length + 1) * (2 * visible.length + 1));
        },
      ),
    );
  });
});
