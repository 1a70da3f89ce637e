import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApoloClient, apoloClient } from '../../../peers/src/apolo.ts';
import { type FilesOnApi, filesOnApi } from '../../support/files/file-storage.ts';

/*
 * Two ordinary people in two projects of two organizations, neither of them an administrator of anything, give the same commands of the
 * official client. Each sees what is one's own, and nothing of the other's, by its name, its id or its full URI.
 */

interface Person {
  readonly name: 'alice' | 'bob';
  readonly place: string;
  readonly other: string;
}
const PEOPLE: readonly Person[] = [
  { name: 'alice', place: 'acme/one', other: 'other/hidden' },
  { name: 'bob', place: 'other/hidden', other: 'acme/one' },
];

let served: FilesOnApi;
const clients = new Map<string, ApoloClient>();
beforeAll(async () => {
  served = await filesOnApi();
  for (const { name, place } of PEOPLE) {
    const client = await apoloClient();
    clients.set(name, client);
    const token = await served.issuer.token(name, { exp: 4_000_000_000 });
    await client.ok(['config', 'login-with-token', token, `${served.origin}/api/v1`]);
    await client.ok(['config', 'switch-org', place.split('/')[0] ?? '']);
    await client.ok(['config', 'switch-project', place.split('/')[1] ?? '']);
    const tree = join(client.home, 'tree/inner');
    await mkdir(tree, { recursive: true });
    await writeFile(join(tree, 'a.txt'), `of ${name}\n`);
    await writeFile(join(tree, 'b.log'), '');
  }
});
afterAll(async () => {
  for (const client of clients.values()) await client.close();
  await served?.stop();
});
const clientOf = (name: string): ApoloClient => {
  const client = clients.get(name);
  if (client === undefined) throw new Error(`no client of ${name}`);
  return client;
};
const idIn = (text: string, kind: string): string => new RegExp(`${kind}-[0-9a-f-]{36}`).exec(text)?.[0] ?? '';

/** What each has made, for the other to try. */
const made = new Map<string, { readonly job: string; readonly disk: string }>();

describe.each(PEOPLE)('$name, in $place', ({ name, place }) => {
  const run = (...args: readonly string[]) => clientOf(name).run(args);
  const ok = (...args: readonly string[]) => clientOf(name).ok(args);

  test('is no administrator', async () => {
    expect((await run('admin', 'add-org', 'mine')).code).not.toBe(0);
    expect(await ok('config', 'show')).toContain(place.split('/')[1]);
  });

  test('has files: mkdir, cp, ls, glob, tree, df, mv, rm', async () => {
    await ok('storage', 'mkdir', '-p', 'storage:deep/er');
    await ok('storage', 'cp', '-r', '-T', 'tree', 'storage:data');
    expect((await ok('storage', 'ls', 'storage:')).trim().split(/\s+/).sort()).toEqual(['data', 'deep']);
    expect(await ok('storage', 'glob', 'storage:data/**/*.txt')).toMatch(/data\/inner\/a\.txt\s*$/);
    const tree = await ok('storage', 'tree', 'storage:data');
    expect(tree).toMatch(/inner[\s\S]*a\.txt[\s\S]*b\.log/);
    expect(tree).toMatch(/1 director(y|ies), 2 files/);
    expect(await ok('storage', 'df')).toMatch(/\d/);
    expect(await ok('storage', 'df', 'storage:data')).toMatch(/\d/);
    await ok('storage', 'mv', 'storage:data/inner/b.log', 'storage:deep/er/c.log');
    expect((await ok('storage', 'ls', 'storage:deep/er')).trim()).toBe('c.log');
    await ok('storage', 'rm', '-r', 'storage:deep');
    expect((await run('storage', 'ls', 'storage:deep')).code).toBe(72);
    expect((await run('storage', 'mkdir', 'storage:data')).code).not.toBe(0);
  });

  test('has secrets, disks and jobs', async () => {
    await ok('secret', 'add', `of-${name}`, 'value');
    expect(await ok('secret', 'ls', '--full-uri')).toContain(`secret://default/${place}/of-${name}`);
    const disk = idIn(await ok('disk', 'create', '2M', '--name', `disk-of-${name}`), 'disk');
    expect(await ok('disk', 'get', disk)).toContain(`disk-of-${name}`);
    const job = idIn(
      await ok(
        ...[
          'run',
          '--detach',
          '--no-wait-start',
          '--preset',
          'cpu-small',
          '--name',
          'same-name',
          '-e',
          `A=secret:of-${name}`,
        ],
        ...['-v', 'storage:data:/mnt:ro', '-v', `disk:${disk}:/disk:rw`, 'ubuntu:24.04', '--', 'true'],
      ),
      'job',
    );
    for (const by of [job, 'same-name']) expect(await ok('status', by)).toContain(job);
    expect(await ok('ps')).toContain('same-name');
    expect(await ok('job', 'generate-run-command', job)).toContain(`storage://default/${place}/data:/mnt:ro`);
    await ok('job', 'bump-life-span', job, '1h');
    made.set(name, { job, disk });
  });
});

test.each(PEOPLE)('$name sees nothing of the other, and changes nothing', async ({ name, other }) => {
  const theirs = made.get(name === 'alice' ? 'bob' : 'alice');
  if (theirs === undefined) throw new Error('the other has nothing');
  const secret = name === 'alice' ? 'of-bob' : 'of-alice';
  const uri = (scheme: string, rest: string): string => `${scheme}://default/${other}/${rest}`;
  const tries: readonly (readonly string[])[] = [
    ['storage', 'ls', uri('storage', '')],
    ['storage', 'cp', uri('storage', 'data/inner/a.txt'), 'stolen'],
    ['storage', 'cp', 'tree/inner/a.txt', uri('storage', 'planted')],
    ['storage', 'rm', '-r', uri('storage', 'data')],
    ['storage', 'mv', uri('storage', 'data'), 'storage:taken'],
    ['secret', 'rm', uri('secret', secret)],
    ['run', '--detach', '--no-wait-start', '-e', `A=${uri('secret', secret)}`, 'ubuntu:24.04', '--', 'true'],
    ['run', '--detach', '--no-wait-start', '-v', `${uri('storage', 'data')}:/mnt:rw`, 'ubuntu:24.04', '--', 'true'],
    ['status', theirs.job],
    ['kill', theirs.job],
    ['logs', theirs.job],
    ['exec', theirs.job, '--', 'true'],
    ['job', 'bump-life-span', theirs.job, '1h'],
    ['disk', 'get', theirs.disk],
    ['disk', 'rm', theirs.disk],
  ];
  for (const command of tries) {
    const { code, stderr } = await clientOf(name).run(command);
    expect([command, code === 0], stderr).toEqual([command, false]);
    expect(stderr).toMatch(/\S/);
    expect(stderr).not.toContain('Traceback');
  }
  for (const list of [
    ['secret', 'ls'],
    ['disk', 'ls', '--long-format'],
    ['ps', '--all'],
  ])
    expect(await clientOf(name).ok(list)).not.toContain(name === 'alice' ? 'of-bob' : 'of-alice');
});

test('what each has is there after all that the other tried, and each removes it', async () => {
  for (const { name } of PEOPLE) {
    const client = clientOf(name);
    const own = made.get(name);
    expect(await client.ok(['storage', 'ls', 'storage:data/inner'])).toContain('a.txt');
    expect(await client.ok(['secret', 'ls'])).toContain(`of-${name}`);
    expect(await client.ok(['ps'])).toContain('same-name');
    await client.ok(['kill', own?.job ?? '']);
    expect(await client.ok(['ps'])).not.toContain('same-name');
    await client.ok(['disk', 'rm', own?.disk ?? '']);
    await client.ok(['secret', 'rm', `of-${name}`]);
    await client.ok(['storage', 'rm', '-r', 'storage:data']);
  }
});
