import { describe, expect, test } from 'vitest';
import { withRegistryAuth } from '../../../../runtime/service/src/api/agents/registry-auth.ts';
import { SecretApi, uri } from './secret-api.ts';

/* Jobs pull from private registries by credentials that are secrets of their owner, their project or the cluster. */

const secrets = new SecretApi();

const auth = (user: string): string => Buffer.from(`${user}:pa:ss`).toString('base64');
const config = (auths: object): string => JSON.stringify({ auths });

/** What a node shows for an image: the secret's name, and the credentials. */
async function shownFor(image: string, project = 'one', user = 'alice'): Promise<unknown> {
  const { json } = await secrets.run({ image }, user, project);
  await secrets.admit(json.id);
  const { kept } = await secrets.desired(json.id);
  const sent = await withRegistryAuth(secrets.api.deps, 'default', kept);
  if (sent.kind !== 'job' || sent.spec.registryAuth === undefined) return undefined;
  const { secret, config: text } = sent.spec.registryAuth;
  return [secret, JSON.parse(text).auths];
}

test('a job’s image is pulled by what its project has for that registry, and by nothing else', async () => {
  const quay = 'https://quay.io/v1';
  const hub = 'https://index.docker.io/v1/';
  await secrets.add(
    'registry-auth',
    config({ 'ghcr.io': { auth: auth('a') }, [quay]: { username: 'b', password: 'pa:ss' } }),
  );
  await secrets.add('registry-auth-hub', config({ 'docker.io': { auth: auth('c') }, 'ghcr.io': { auth: auth('d') } }));
  expect(await shownFor('ghcr.io/me/private:1')).toEqual(['registry-auth', { 'ghcr.io': { auth: auth('a') } }]);
  expect(await shownFor('quay.io/me/private')).toEqual(['registry-auth', { [quay]: { auth: auth('b') } }]);
  expect(await shownFor('me/private:1')).toEqual(['registry-auth-hub', { [hub]: { auth: auth('c') } }]);
  expect(await shownFor('nvcr.io/me/private:1')).toBeUndefined();
  expect(await shownFor('ghcr.io/me/private:1', 'open')).toBeUndefined();
});

test('no job has these credentials itself', async () => {
  await secrets.add('registry-auth', config({ 'ghcr.io': { auth: auth('a') } }));
  const asked = [
    { secret_env: { A: uri('registry-auth') } },
    { secret_volumes: [{ src_secret_uri: uri('registry-auth'), dst_path: '/a' }] },
  ];
  for (const given of asked) {
    const { json } = await secrets.run(given);
    expect(json.error).toMatch(/secret "registry-auth" is for pulling images, and no job has it/);
  }
});

test.each([
  ['no JSON', 'user:pass', /expected the JSON of a Docker configuration/],
  ['no registry', config({}), /expected credentials of one registry/],
  ['what a helper keeps', config({ 'ghcr.io': {} }), /expected "auth" \(base64 of USER:PASSWORD\) of ghcr\.io/],
])('such a secret holds credentials: %s is refused when it is added', async (_what, value, words) => {
  const { status, json } = await secrets.add('registry-auth-x', value);
  expect([status, json.error]).toEqual([400, expect.stringMatching(words)]);
});

test('a project has at most 16 of them', async () => {
  const value = config({ 'ghcr.io': { auth: auth('a') } });
  for (let index = 0; index < 16; index += 1) await secrets.add(`registry-auth-${index}`, value);
  const { json } = await secrets.add('registry-auth-more', value);
  expect(json.error).toMatch(/has 16 secrets to pull images by, the most/);
});

describe('of a user, a project and the cluster', () => {
  const image = 'ghcr.io/me/private:1';
  const of = (user: string): string => config({ 'ghcr.io': { auth: auth(user) } });
  const addAs = async (user: string, key: string): Promise<number> =>
    (await secrets.add(key, of(key), {}, user)).status;
  const shown = (key: string): unknown => [key, { 'ghcr.io': { auth: auth(key) } }];

  test('the user’s own come first, in whatever project, then the project’s, then the cluster’s', async () => {
    expect(await addAs('admin', 'registry-auth-cluster')).toBe(201);
    expect(await shownFor(image, 'open')).toEqual(shown('registry-auth-cluster'));
    expect(await addAs('alice', 'registry-auth')).toBe(201);
    expect(await shownFor(image)).toEqual(shown('registry-auth'));
    expect(await shownFor(image, 'open')).toEqual(shown('registry-auth-cluster'));
    expect(await addAs('alice', 'registry-auth-user-mine')).toBe(201);
    expect(await shownFor(image)).toEqual(shown('registry-auth-user-mine'));
    expect(await shownFor(image, 'open')).toEqual(shown('registry-auth-user-mine'));
  });

  test('nobody else’s jobs have those of a user, also in the project in which they are kept', async () => {
    await addAs('alice', 'registry-auth-user');
    expect(await shownFor(image, 'one', 'admin')).toBeUndefined();
    // Whoever has that name later is somebody else.
    await secrets.database.db
      .updateTable('secrets')
      .set({ changed_at: new Date(0) })
      .execute();
    expect(await shownFor(image)).toBeUndefined();
  });

  test('nobody else gives those of a user another value', async () => {
    await addAs('alice', 'registry-auth-user');
    const { status, json } = await secrets.add('registry-auth-user', of('other'), {}, 'admin');
    expect([status, json.error]).toEqual([
      403,
      expect.stringContaining('registry-auth-user of this project is alice’s own'),
    ]);
  });

  test('administrators alone write those of the cluster', async () => {
    expect(await addAs('alice', 'registry-auth-cluster-x')).toBe(403);
    await addAs('admin', 'registry-auth-cluster-x');
    const refused = await secrets.remove('registry-auth-cluster-x');
    expect([refused.status, refused.json.error]).toEqual([403, expect.stringContaining('alice is no administrator')]);
    expect((await secrets.remove('registry-auth-cluster-x', 'admin')).status).toBe(204);
  });

  test('a user has at most 16, wherever they are kept', async () => {
    for (let index = 0; index < 16; index += 1) {
      const project = index % 2 === 0 ? 'one' : 'open';
      await secrets.add(`registry-auth-user-${index}`, of('a'), { project_name: project });
    }
    const { json } = await secrets.add('registry-auth-user-more', of('a'), { project_name: 'tight' });
    expect(json.error).toMatch(/user alice has 16 secrets to pull images by/);
  });

  test('no job has them itself', async () => {
    for (const key of ['registry-auth-user', 'registry-auth-cluster']) {
      await addAs('admin', key);
      const { json } = await secrets.run({ secret_env: { A: uri(key) } }, 'admin');
      expect(json.error).toMatch(/is for pulling images, and no job has it/);
    }
  });
});
