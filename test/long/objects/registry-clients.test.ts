import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApoloClient, apoloClient } from '../../../peers/src/apolo.ts';
import { type CommandResult, execute, expectOk } from '../../../peers/src/command.ts';
import { unpackedDebian } from '../../support/debian/unpacked.ts';
import { type RegistryPlatform, registryPlatform } from '../../support/registry/platform.ts';

/*
 * Clients that people have: skopeo of Debian, crane, and the official client. In project acme/one alice is a writer and rita a
 * reader; alice is a writer in acme/tight too, and bob in other/hidden.
 */

let platform: RegistryPlatform;
let home: string;
let skopeo: (user: string, ...args: readonly string[]) => Promise<CommandResult>;
let at: string;

beforeAll(async () => {
  platform = await registryPlatform(['alice', 'rita', 'bob']);
  at = platform.host;
  const { root, env } = await unpackedDebian({
    name: 'skopeo',
    packages: () => ['skopeo'],
    libraries: /^(libdevmapper1\S*|libgpgme11\S*|libassuan0|libgpg-error0)$/,
  });
  home = await mkdtemp(join(tmpdir(), 'delos-skopeo-'));
  await writeFile(join(home, 'policy.json'), JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }));
  skopeo = async (user, ...args) => {
    const folder = join(home, user);
    await mkdir(folder, { recursive: true });
    const auth = Buffer.from(`token:${await platform.issuer.token(user)}`).toString('base64');
    await writeFile(join(folder, 'auth.json'), JSON.stringify({ auths: { [at]: { auth } } }));
    return execute([join(root, 'usr/bin/skopeo'), '--policy', join(home, 'policy.json'), ...args], {
      env: { ...env, PATH: '/usr/bin:/bin', HOME: folder, REGISTRY_AUTH_FILE: join(folder, 'auth.json') },
      cwd: folder,
    });
  };
});
afterAll(async () => {
  await platform?.stop();
  if (home !== undefined) await rm(home, { recursive: true, force: true });
});

const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false'];

describe('an index of images for several machines', () => {
  test('is put together by crane, and each machine gets its own', async () => {
    const alice = platform.as('alice');
    const images: string[] = [];
    for (const machine of ['amd64', 'arm64']) {
      const name = `${at}/acme/one/many:${machine}`;
      await alice.push(name, `for ${machine}`);
      await alice.ok('mutate', name, '--set-platform', `linux/${machine}`, '--tag', name);
      images.push(name);
    }
    await alice.ok(
      ...['index', 'append', ...images.flatMap((name) => ['--manifest', name]), '--tag', `${at}/acme/one/many:1`],
    );
    const rita = platform.as('rita');
    for (const machine of ['amd64', 'arm64']) {
      const digest = (await rita.ok('digest', '--platform', `linux/${machine}`, `${at}/acme/one/many:1`)).trim();
      expect(await rita.content(`${at}/acme/one/many@${digest}`)).toMatchObject({ code: 0, stdout: `for ${machine}` });
    }
    await rita.ok('validate', '--remote', `${at}/acme/one/many:1`);
  });

  test('is copied whole to another project, by mounts where its user may read both', async () => {
    await platform.as('alice').ok('copy', `${at}/acme/one/many:1`, `${at}/acme/tight/many:1`);
    await platform.as('alice').ok('validate', '--remote', `${at}/acme/tight/many:1`);
    const refused = await platform.as('bob').run('copy', `${at}/acme/one/many:1`, `${at}/other/hidden/many:1`);
    expect([refused.code === 0, refused.stderr]).toEqual([false, expect.stringContaining('DENIED')]);
  });

  test('is mounted from nowhere that its user may not read', async () => {
    const manifest = JSON.parse(await platform.as('alice').ok('manifest', `${at}/acme/one/many:amd64`)) as {
      layers: { digest: string }[];
    };
    const digest = manifest.layers[0]?.digest ?? '';
    const mount = async (user: string, name: string): Promise<number> =>
      (
        await fetch(`http://${at}/v2/${name}/blobs/uploads/?mount=${digest}&from=acme/one/many`, {
          method: 'POST',
          headers: {
            authorization: `Basic ${Buffer.from(`x:${await platform.issuer.token(user)}`).toString('base64')}`,
          },
        })
      ).status;
    expect(await mount('alice', 'acme/tight/mounted')).toBe(201);
    expect(await mount('bob', 'other/hidden/mounted')).toBe(401);
  });
});

describe('skopeo', () => {
  test('copies an index with all its images, and reads, lists and deletes', async () => {
    const from = `docker://${at}/acme/one/many:1`;
    await expectOk(skopeo('alice', 'copy', '--all', ...insecure, from, `docker://${at}/acme/one/copied:1`));
    await platform.as('rita').ok('validate', '--remote', `${at}/acme/one/copied:1`);
    const tls = '--tls-verify=false';
    const listed = await expectOk(skopeo('rita', 'list-tags', tls, `docker://${at}/acme/one/copied`));
    expect(JSON.parse(listed)).toMatchObject({ Tags: ['1'] });
    await expectOk(skopeo('rita', 'copy', '--all', '--src-tls-verify=false', from, `dir:${join(home, 'kept')}`));
    const push = ['copy', '--all', '--dest-tls-verify=false', `dir:${join(home, 'kept')}`];
    await expectOk(skopeo('alice', ...push, `docker://${at}/acme/tight/back:1`));
    const refused = await skopeo('rita', ...push, `docker://${at}/acme/one/refused:1`);
    expect([refused.code === 0, refused.stderr]).toEqual([
      false,
      expect.stringMatching(/denied|may only read|403 \(Forbidden\)/i),
    ]);
    await expectOk(skopeo('alice', 'delete', tls, `docker://${at}/acme/one/copied:1`));
    expect((await skopeo('rita', 'inspect', tls, `docker://${at}/acme/one/copied:1`)).code).not.toBe(0);
  });
});

describe('the official client', () => {
  let alice: ApoloClient;
  beforeAll(async () => {
    alice = await apoloClient();
    await alice.ok(['config', 'login-with-token', await platform.issuer.token('alice'), `http://${at}/api/v1`]);
  });
  afterAll(() => alice?.close());

  test('tells Docker whom to ask for a login, and that is a login', async () => {
    const folder = join(alice.home, 'docker');
    await alice.ok(['config', 'docker', '--docker-config', folder]);
    expect(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))).toEqual({
      credHelpers: { '127.0.0.1': 'apolo' },
    });
    const { stdout } = await alice.python(
      `import io, sys\nsys.argv = ['docker-credential-apolo', 'get']\nsys.stdin = io.StringIO('127.0.0.1\\n')\nfrom apolo_cli.docker_credential_helper import main\nmain()`,
    );
    const { Username, Secret } = JSON.parse(stdout) as { Username: string; Secret: string };
    const authorization = `Basic ${Buffer.from(`${Username}:${Secret}`).toString('base64')}`;
    expect((await fetch(`http://${at}/v2/`, { headers: { authorization } })).status).toBe(200);
  });

  test('lists what another project of the same organization has, and says the size of an image', async () => {
    expect(await alice.ok(['image', 'ls', '--project', 'tight', '--full-uri'])).toContain(
      'image://default/acme/tight/many',
    );
    expect(await alice.ok(['image', 'size', 'image:many:amd64'])).toMatch(/\d/);
    expect((await alice.run(['image', 'tags', 'image:none'])).code).toBe(72);
  });
});
