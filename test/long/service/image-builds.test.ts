import { execFile } from 'node:child_process';
import { chown, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApoloClient, apoloClient } from '../../../peers/src/apolo.ts';
import type { CommandResult } from '../../../peers/src/command.ts';
import { unpackedDebian } from '../../support/debian/unpacked.ts';
import { BUILDER, type BuildPlatform, buildPlatform } from '../../support/registry/build-platform.ts';
import { carryOutNext } from '../../support/registry/builder-container.ts';

/*
 * `apolo-extras image build` and `image transfer` by the unmodified client: what it submits is a job of Kaniko's, and what runs is
 * the platform's builder. All is real but scheduler and node: the builder runs in a container's root folder with a container's rights.
 */

const exec = promisify(execFile);
let platform: BuildPlatform;
let alice: ApoloClient;
let base: string;

beforeAll(async () => {
  platform = await buildPlatform();
  alice = await apoloClient({ extras: true });
  await alice.ok([
    'config',
    'login-with-token',
    await platform.issuer.token('alice'),
    `http://${platform.host}/api/v1`,
  ]);
  await alice.ok(['config', 'switch-project', 'one']);
  base = `${platform.host}/acme/one/base:1`;
  await pushBase();
});
afterAll(async () => {
  await alice?.close();
  await platform?.stop();
});

/** An image with a shell, of one layer. */
async function pushBase(): Promise<void> {
  const { root } = await unpackedDebian({ name: 'busybox', packages: () => ['busybox-static'], libraries: /^none$/ });
  const folder = join(alice.home, 'base');
  await mkdir(join(folder, 'bin'), { recursive: true });
  await mkdir(join(folder, 'etc'));
  await mkdir(join(folder, 'var'));
  await mkdir(join(folder, 'run'));
  await symlink('/run', join(folder, 'var/run'));
  await exec('cp', [join(root, 'bin/busybox'), join(folder, 'bin/busybox')]);
  for (const name of [
    'sh',
    'cat',
    'echo',
    'ls',
    'id',
    'rm',
    'mkdir',
    'stat',
    'ln',
    'sleep',
    'find',
    'chmod',
    'touch',
  ]) {
    await symlink('busybox', join(folder, 'bin', name));
  }
  await writeFile(join(folder, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n');
  await writeFile(join(folder, 'etc/group'), 'root:x:0:\napp:x:1000:\nmore:x:1001:app\n');
  await writeFile(join(folder, 'etc/old'), 'old');
  const layer = join(alice.home, 'base.tar');
  await exec('tar', ['--owner=0', '--group=0', '-C', folder, '-cf', layer, '.']);
  await (await platform.as('alice')).ok('append', '--new_layer', layer, '--new_tag', base);
}

/** A context of the client's. @param files names and contents */
async function context(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = join(alice.home, name);
  for (const [file, content] of Object.entries(files)) {
    await mkdir(join(folder, file, '..'), { recursive: true });
    await writeFile(join(folder, file), content);
  }
  await exec('chown', ['-R', `${alice.user.uid}:${alice.user.uid}`, folder]);
  return folder;
}

/** Runs the client's command while its job is carried out. */
async function build(args: readonly string[]) {
  const running = alice.extras(['image', ...args], { timeout: 300 });
  const first = await Promise.race([running, carryOutNext(platform)]);
  if (!('desire' in first)) throw new Error(`the client ended before its job: ${first.stdout}${first.stderr}`);
  return { client: await running, ...first };
}

/** Contents of a file of an image. */
async function fileOf(image: string, file: string): Promise<string> {
  const tar = join(alice.home, 'image.tar');
  await (await platform.as('alice')).ok('export', `${platform.host}/${image}`, tar);
  return (await exec('tar', ['-xOf', tar, file])).stdout;
}

const listOf = async (image: string): Promise<readonly string[]> => {
  const tar = join(alice.home, 'image.tar');
  await (await platform.as('alice')).ok('export', `${platform.host}/${image}`, tar);
  return (await exec('tar', ['-tvf', tar, '--numeric-owner'])).stdout.split('\n');
};

const ended = ({ client, result }: { readonly client: CommandResult; readonly result: CommandResult }): string =>
  `${client.stdout}${client.stderr}${result.stdout}${result.stderr}`;

describe('apolo-extras image build', () => {
  test('builds what a Dockerfile says, and shows the log of that', async () => {
    const folder = await context('first', {
      Dockerfile: [
        'ARG VERSION=none',
        `FROM ${base} AS made`,
        'ARG VERSION',
        'RUN mkdir -p /made && echo "made of $VERSION" > /made/file && ln /made/file /made/same && chmod 4755 /made/same',
        `FROM ${base}`,
        'ENV WHERE=/srv/app',
        'WORKDIR $WHERE',
        'COPY --from=made /made/ ./',
        'COPY --chown=app:more data/ data/',
        'COPY *.txt one/',
        'RUN rm /etc/old && echo "$(id -u):$(id -g)" > root && test -e /proc/self/exe && (sleep 600 &)',
        'USER app',
        'RUN id -u > /tmp-of-app 2>/dev/null || echo "app $(id -u) $(id -G)" && test ! -w /etc/passwd',
        'LABEL a=b',
        'EXPOSE 8080',
        'ENTRYPOINT ["/bin/echo"]',
        'CMD ["hello"]',
      ].join('\n'),
      'data/in/file': 'data',
      'data/left-out': 'no',
      'a.txt': 'a',
      'b.txt': 'b',
      '.dockerignore': 'data/left-out\n',
    });
    const built = await build(['build', folder, 'image:first:1', '--build-arg', 'VERSION=seven']);
    expect(built.client.code, ended(built)).toBe(0);
    expect(built.desire.spec.pod).toMatchObject({ image: BUILDER, entrypoint: null, security: 'baseline' });
    expect(`${built.client.stdout}${built.client.stderr}`).toContain('Pushing image to');
    expect(`${built.client.stdout}${built.client.stderr}`).toContain('app 1000 1000 1001');
    expect(await fileOf('acme/one/first:1', 'srv/app/file')).toBe('made of seven\n');
    expect(await fileOf('acme/one/first:1', 'srv/app/data/in/file')).toBe('data');
    expect(await fileOf('acme/one/first:1', 'srv/app/root')).toBe('0:0\n');
    const listed = await listOf('acme/one/first:1');
    const line = (name: string): string => listed.find((each) => each.endsWith(` ${name}`)) ?? `${name} is missing`;
    expect(line('srv/app/data/in/file')).toMatch(/1000\/1001/);
    expect(line('srv/app/one/b.txt')).toMatch(/0\/0/);
    expect(listed.join('\n')).not.toMatch(/left-out|etc\/old|kaniko/);
    const config = JSON.parse(await (await platform.as('alice')).ok('config', `${platform.host}/acme/one/first:1`));
    expect(config.config).toMatchObject({
      User: 'app',
      WorkingDir: '/srv/app',
      Entrypoint: ['/bin/echo'],
      Cmd: ['hello'],
      Labels: { a: 'b' },
      ExposedPorts: { '8080/tcp': {} },
    });
    expect(JSON.stringify(config)).not.toMatch(/DELOS|NEURO/);
  });

  test('takes layers of RUN from the project’s own repository when nothing has changed', async () => {
    const folder = await context('cached', {
      Dockerfile: `FROM ${base}\nRUN echo slow > /slow\nCOPY file /file\n`,
      file: 'first',
    });
    const first = await build(['build', folder, 'image:cached:1']);
    expect(first.client.code, ended(first)).toBe(0);
    await writeFile(join(folder, 'file'), 'second');
    await chown(join(folder, 'file'), alice.user.uid, alice.user.uid);
    const again = await build(['build', folder, 'image:cached:2']);
    expect(again.client.code, ended(again)).toBe(0);
    expect(again.result.stderr).toContain('Using caching version of cmd: RUN echo slow > /slow');
    expect(again.result.stderr).not.toContain('Running: ["/bin/sh" "-c" "echo slow');
    expect([await fileOf('acme/one/cached:2', 'slow'), await fileOf('acme/one/cached:2', 'file')]).toEqual([
      'slow\n',
      'second',
    ]);
    const kept = await (await platform.as('alice')).ok('ls', `${platform.host}/acme/one/layer-cache/cache`);
    expect(kept.trim().split('\n').length).toBeGreaterThan(0);
  });

  test('ends as the command did that failed', async () => {
    const folder = await context('failing', { Dockerfile: `FROM ${base}\nRUN echo said before && exit 7\n` });
    const failed = await build(['build', folder, 'image:failing:1', '--no-cache']);
    expect(failed.client.code).not.toBe(0);
    expect(`${failed.client.stdout}${failed.client.stderr}`).toContain('Failed to build image: 1');
    expect(`${failed.client.stdout}${failed.client.stderr}`).toContain('said before');
    expect(failed.result.stderr).toContain('error building image: failed to execute command');
    expect(failed.result.stderr).toContain('exit status 7');
  });

  test('has no token of its user in reach of the build’s commands, and no key that opens another project', async () => {
    const folder = await context('spying', {
      Dockerfile: `FROM ${base}\nRUN find /kaniko -type f | cat; cat /kaniko/.delos/config.json; ls -a /kaniko/.docker || echo no keys\n`,
    });
    const { client, desire, result } = await build(['build', folder, 'image:spying:1', '--no-cache']);
    expect(client.code, result.stderr).toBe(0);
    expect(desire.spec.pod.files?.map(({ path }) => path)).toEqual(['/kaniko_context']);
    expect(result.stdout).toContain('no keys');
    expect(result.stdout).not.toContain(await platform.issuer.token('alice').then((token) => token.slice(-40)));
    const [, auth = ''] = /"auth":"([^"]+)"/.exec(result.stdout) ?? [];
    const ask = async (scope: string): Promise<number> =>
      (
        await fetch(`http://${platform.host}/api/v1/registry/token?service=delos-registry&scope=${scope}`, {
          headers: { authorization: `Basic ${auth}` },
        })
      ).status;
    // Its job has ended.
    expect(await ask('repository:acme/one/spying:pull,push')).toBe(401);
    await platform.database.db.updateTable('jobs').set({ status: 'running' }).where('id', '=', desire.id).execute();
    expect(await ask('repository:acme/one/spying:pull,push')).toBe(200);
    // alice writes there herself; this build does not.
    expect(await ask('repository:acme/tight/x:pull,push')).toBe(403);
    expect(await ask('repository:acme/tight/x:pull')).toBe(200);
    expect(await ask('repository:other/hidden/x:pull')).toBe(403);
    const jobs = await fetch(`http://${platform.host}/api/v1/jobs`, { headers: { authorization: `Basic ${auth}` } });
    expect(jobs.status).toBe(401);
    await platform.database.db.updateTable('jobs').set({ status: 'succeeded' }).where('id', '=', desire.id).execute();
  });

  test('is refused where its user may not push, before anything is made', async () => {
    const folder = await context('foreign', { Dockerfile: `FROM ${base}\nLABEL a=b\n` });
    const { code, stdout, stderr } = await alice.extras(['image', 'build', folder, 'image:/hidden/x:1']);
    expect(code).not.toBe(0);
    expect(`${stdout}${stderr}`).toMatch(/hidden/);
  });
});

test('apolo-extras image transfer copies an image to another project, and unpacks nothing for it', async () => {
  const sent = await build(['transfer', 'image:base:1', 'image:/tight/copied:1']);
  expect(sent.client.code, ended(sent)).toBe(0);
  expect(sent.result.stderr).not.toContain('Unpacking rootfs');
  expect(await fileOf('acme/tight/copied:1', 'etc/old')).toBe('old');
});

test('nothing of a build is left on the machine', async () => {
  expect((await readdir('/tmp')).filter((name) => name.startsWith('delos-build-'))).toEqual([]);
});
