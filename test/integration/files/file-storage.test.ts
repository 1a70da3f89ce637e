import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, lstat, mkdir, readdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { Worker } from 'node:worker_threads';
import { FILE_STORAGE_PATH, FILE_STORAGE_USER } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type ApoloClient, apoloClient } from '../../../peers/src/apolo.ts';
import { execute } from '../../../peers/src/command.ts';
import { stopWriters } from '../../../runtime/service/src/api/resources/storage/stop-writers.ts';
import { type FilesOnApi, filesOnApi } from '../../support/files/file-storage.ts';
import { until } from '../../support/until.ts';

/*
 * The image's program behind the gateway's own Caddyfile, with the real control API. In project acme/one alice is a writer and rita a
 * reader; bob is in other/hidden, noel in none.
 */

let served: FilesOnApi;
let alice: ApoloClient;
let work: string;
const tokens = new Map<string, string>();

beforeAll(async () => {
  [served, alice] = await Promise.all([filesOnApi(), apoloClient()]);
  // The client is a user of its own.
  work = join(alice.home, 'work');
  await mkdir(work);
  await chmod(work, 0o777);
  for (const user of ['alice', 'rita', 'bob', 'noel', 'admin']) tokens.set(user, await served.issuer.token(user));
  await alice.ok(['config', 'login-with-token', tokens.get('alice') ?? '', `${served.origin}/api/v1`]);
});
afterAll(async () => {
  await alice?.close();
  await served?.stop();
});

const escaped = (path: string): string => path.split('/').map(encodeURIComponent).join('/');
const raw = (user: string, method: string, path: string, query: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${served.origin}${FILE_STORAGE_PATH}${path}?${query}`, {
    method,
    ...init,
    headers: { authorization: `Bearer ${tokens.get(user)}`, ...init.headers },
  });
/** As it is written: fetch would tidy it. */
const untidied = (path: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${tokens.get('alice')}` };
    const to = { host: '127.0.0.1', port: served.files.port, headers };
    const sent = request({ ...to, path: `${FILE_STORAGE_PATH}${path}?op=GETFILESTATUS` }, (answer) => {
      json(answer).then(resolve, reject);
    });
    sent.on('error', reject);
    sent.end();
  });
const OPS = {
  OPEN: 'GET',
  LISTSTATUS: 'GET',
  GETFILESTATUS: 'GET',
  GETDISKUSAGE: 'GET',
  MKDIRS: 'PUT',
  CREATE: 'PUT',
  WRITE: 'PATCH',
  DELETE: 'DELETE',
  RENAME: 'POST',
} as const;
type Op = keyof typeof OPS;
const ask = (user: string, op: Op, path: string, init: RequestInit & { readonly query?: string } = {}) =>
  raw(user, OPS[op], escaped(path), `op=${op}${init.query === undefined ? '' : `&${init.query}`}`, init);
const put = (path: string, body: string | Buffer): Promise<Response> =>
  ask('alice', 'CREATE', path, { body: typeof body === 'string' ? body : new Uint8Array(body) });
const textOf = async (path: string): Promise<string> => (await ask('alice', 'OPEN', path)).text();
const answerOf = async (response: Response): Promise<unknown> => {
  const { error: _, code: __, ...rest } = z.looseObject({}).parse(JSON.parse((await response.text()) || '{}'));
  return { status: response.status, ...rest };
};
const lines = async (response: Response): Promise<readonly Record<string, unknown>[]> =>
  (await response.text())
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => z.record(z.string(), z.unknown()).parse(JSON.parse(line)));
const NDJSON = { headers: { accept: 'application/x-ndjson' } };
const namesIn = async (path: string): Promise<readonly string[]> =>
  (await lines(await ask('alice', 'LISTSTATUS', path, NDJSON)))
    .map(({ FileStatus }) => z.object({ path: z.string() }).parse(FileStatus).path)
    .sort();
const at = (...path: readonly string[]): string => join(served.files.data, ...path);
const ONE = '/acme/one';

test('the official client makes folders, copies up and down, lists, moves, and removes', async () => {
  const up = join(work, 'up');
  await mkdir(join(up, 'inner'), { recursive: true });
  const large = randomBytes(3 * 2 ** 20 + 17);
  await writeFile(join(up, 'large'), large);
  await writeFile(join(up, 'inner', 'größe 中 100%'), 'small');
  await writeFile(join(up, 'empty'), '');
  await alice.ok(['storage', 'cp', '-r', '-T', up, 'storage:data']);
  expect(await readFile(at('acme/one/data/large'))).toEqual(large);
  expect((await alice.ok(['storage', 'ls', 'storage:data'])).trim().split(/\s+/).sort()).toEqual([
    'empty',
    'inner',
    'large',
  ]);
  await alice.ok(['storage', 'mv', 'storage:data', 'storage:moved']);
  const down = join(work, 'down');
  await alice.ok(['storage', 'cp', '-r', '-T', 'storage:moved', down]);
  expect((await readFile(join(down, 'large'))).equals(large)).toBe(true);
  expect(await readFile(join(down, 'inner', 'größe 中 100%'), 'utf8')).toBe('small');
  await alice.ok(['storage', 'rm', '-r', 'storage:moved']);
  expect(existsSync(at('acme/one/moved'))).toBe(false);
  const missing = await alice.run(['storage', 'ls', 'storage:moved']);
  expect([missing.code, missing.stderr]).toEqual([72, expect.stringContaining('there is no /acme/one/moved')]);
});

describe('what jobs mount', () => {
  const submit = (user: string, ...volumes: readonly (readonly [string, string, boolean?])[]) =>
    served.api.request(user, 'POST', '/jobs?from_preset=true', {
      preset_name: 'cpu-small',
      image: 'ubuntu:24.04',
      command: 'true',
      ...(user === 'noel' ? { project_name: 'open' } : { project_name: 'one' }),
      volumes: volumes.map(([uri, path, readOnly = false]) => ({
        src_storage_uri: uri,
        dst_path: path,
        read_only: readOnly,
      })),
    });
  const mountsOf = async (id: string): Promise<unknown> => {
    const row = await served.database.db.selectFrom('jobs').select('spec').where('id', '=', id).executeTakeFirst();
    return row?.spec.files;
  };
  beforeAll(async () => {
    const of = (project: string, role: 'reader' | 'writer') => ({ org: 'acme', project, user_name: 'noel', role });
    await served.database.db
      .insertInto('members')
      .values([of('one', 'reader'), of('open', 'writer')])
      .execute();
    await ask('alice', 'MKDIRS', `${ONE}/ready`);
    await put(`${ONE}/ready/config.json`, '{}');
    await symlink('../../other/hidden', at('acme/one/astray'));
  });
  afterAll(async () => {
    await served.database.db.deleteFrom('members').where('user_name', '=', 'noel').execute();
  });

  test('is made where it is not there, is told to the agent, and shown with the job', async () => {
    const uri = 'storage://default/acme/one/a%20folder/gr%C3%B6%C3%9Fe';
    const made = await submit(
      'alice',
      [uri, '/mnt/data/'],
      ['storage://default/acme/tight', '/other', true],
      ['storage://default/acme/one/ready/config.json', '/etc/config.json', true],
    );
    expect(made.status, made.text).toBe(202);
    expect((await stat(at('acme/one/a folder/größe'))).isDirectory()).toBe(true);
    expect(await mountsOf(made.json.id)).toEqual([
      { org: 'acme', project: 'one', source: 'a folder/größe', path: '/mnt/data', readOnly: false },
      { org: 'acme', project: 'tight', source: '', path: '/other', readOnly: true },
      { org: 'acme', project: 'one', source: 'ready/config.json', path: '/etc/config.json', readOnly: true },
    ]);
    expect(made.json.container.volumes[0]).toEqual({ src_storage_uri: uri, dst_path: '/mnt/data', read_only: false });
  });

  test.each<readonly [string, string, boolean, number, string]>([
    ['alice', 'storage://default/other/hidden', true, 403, 'is no member of project other/hidden'],
    ['alice', 'storage://default/acme/one/../../other/hidden/x', false, 403, 'is no member of project other/hidden'],
    ['alice', 'storage://default/acme/one/astray', false, 400, 'leads through a symbolic link'],
    ['alice', 'storage://default/acme/one/astray/below', false, 400, 'leads through a symbolic link'],
    ['alice', 'storage://default/acme/one/ready/config.json/below', false, 400, 'not a directory'],
    ['alice', 'storage://elsewhere/acme/one', false, 400, 'this one is default'],
    ['alice', 'storage://default/acme', false, 400, 'expected storage://'],
    ['alice', 'storage://default/acme/one/a%2Fb', false, 400, 'can be no name'],
    ['noel', 'storage://default/acme/one/ready', false, 403, 'may only read in project acme/one'],
    ['noel', 'storage://default/acme/one/missing', true, 400, 'may only read'],
  ])('%s: %s, read-only %s, is refused by %i: %s', async (user, uri, readOnly, status, words) => {
    const refused = await submit(user, [uri, '/mnt', readOnly]);
    expect([refused.status, refused.text]).toEqual([status, expect.stringContaining(words)]);
    expect(refused.text).toContain('volumes.0.src_storage_uri');
  });

  test('a reader mounts what is there, read-only', async () => {
    expect((await submit('noel', ['storage://default/acme/one/ready', '/mnt', true])).status).toBe(202);
  });

  test('two volumes have two places', async () => {
    const one = 'storage://default/acme/one';
    expect((await submit('alice', [one, '/mnt'], [one, '/mnt/'])).text).toContain('two volumes cannot have one place');
  });
});

describe('who may do what', () => {
  test.each<readonly [string, Op, string, number]>([
    ['alice', 'MKDIRS', '/acme/one/mine', 201],
    ['rita', 'LISTSTATUS', '/acme/one', 200],
    ['rita', 'GETFILESTATUS', '/acme', 200],
    ['rita', 'MKDIRS', '/acme/one/hers', 403],
    ['rita', 'DELETE', '/acme/one/mine', 403],
    ['bob', 'LISTSTATUS', '/acme/one', 404],
    ['bob', 'GETFILESTATUS', '/acme', 404],
    ['noel', 'OPEN', '/acme/one/mine', 404],
    ['admin', 'LISTSTATUS', '/other/hidden', 200],
    ['alice', 'GETFILESTATUS', '/acme/none', 404],
    ['alice', 'MKDIRS', '/acme', 403],
    ['alice', 'GETFILESTATUS', '/.delos/uploads', 404],
    ['admin', 'GETFILESTATUS', '/.delos/uploads', 404],
    ['alice', 'LISTSTATUS', '/acme/one/../../other/hidden', 404],
  ])('%s: %s %s → %i', async (user, op, path, status) => {
    expect((await ask(user, op, path)).status).toBe(status);
  });

  test('without a valid token nothing is answered', async () => {
    const answer = await raw('alice', 'GET', '/acme/one', 'op=LISTSTATUS', { headers: { authorization: 'Bearer no' } });
    expect([answer.status, await answer.json()]).toEqual([
      401,
      expect.objectContaining({ code: 'ERR_UNAUTHENTICATED' }),
    ]);
  });

  test('a move asks for the right to write at both ends', async () => {
    await put(`${ONE}/ours`, 'x');
    const move = (user: string, to: string) =>
      ask(user, 'RENAME', `${ONE}/ours`, { query: `destination=${encodeURIComponent(to)}` });
    expect((await move('alice', '/other/hidden/theirs')).status).toBe(404);
    expect((await move('rita', '/acme/one/other')).status).toBe(403);
    expect((await move('alice', '/acme/tight/ours')).status).toBe(204);
    expect(await textOf('/acme/tight/ours')).toBe('x');
  });

  test('whoever leaves a project has lost it after five seconds', async () => {
    await served.database.db.deleteFrom('members').where('user_name', '=', 'rita').execute();
    await until('rita sees nothing', 20, async () =>
      (await ask('rita', 'LISTSTATUS', ONE)).status === 404 ? true : undefined,
    );
  });
});

describe('names', () => {
  test.each([
    'plain',
    'blanks in it',
    'größe 中文 🙂',
    'percent%41%2F%',
    'plus+and&and=and?and#',
    'quote\'"<tag>',
    'line\nbreak',
    'back\\slash',
    ' blank at the ends ',
    '...',
    '.hidden',
    '-dash',
    'é'.normalize('NFD'),
    'n'.repeat(255),
  ])('%j is written, told, listed, read, moved and removed', async (name) => {
    const [path, moved] = [`${ONE}/names/${name}`, `${ONE}/names/moved`];
    await ask('alice', 'MKDIRS', `${ONE}/names`);
    expect((await put(path, name)).status).toBe(201);
    expect(await readdir(at('acme/one/names'))).toEqual([name]);
    expect(await namesIn(`${ONE}/names`)).toEqual([name]);
    expect(await (await ask('alice', 'GETFILESTATUS', path)).json()).toMatchObject({
      FileStatus: { path, type: 'FILE', length: Buffer.byteLength(name), permission: 'write' },
    });
    expect(await textOf(path)).toBe(name);
    const query = `destination=${encodeURIComponent(moved)}`;
    expect((await ask('alice', 'RENAME', path, { query })).status).toBe(204);
    expect((await ask('alice', 'DELETE', moved)).status).toBe(204);
    expect(await readdir(at('acme/one/names'))).toEqual([]);
  });

  test.each([
    ['of 256 bytes', `${ONE}/${'n'.repeat(256)}`, 'ENAMETOOLONG'],
    ['with a slash', `${ONE}/a%2Fb`, 'EINVAL'],
    ['with a NUL', `${ONE}/a%00b`, 'EINVAL'],
  ])('one %s is refused', async (_, path, errno) => {
    const answer = await raw('alice', 'PUT', path, 'op=CREATE', { body: 'x' });
    expect(await answerOf(answer)).toEqual({ status: 400, errno });
  });

  test('dots are taken away before anything is looked up, and never lead above the root', async () => {
    await put(`${ONE}/dotted`, 'here');
    for (const path of [
      '/acme/./one/no/such/../../../one/dotted',
      '/acme/../../storage//acme//one/%2e/dotted',
      '/acme/one/dotted/',
    ]) {
      expect(await untidied(path), path).toMatchObject({ FileStatus: { path: `${ONE}/dotted` } });
    }
  });
});

describe('errors are those of Unix, as the client maps them', () => {
  beforeAll(async () => {
    await ask('alice', 'MKDIRS', `${ONE}/errors/full/inner`);
    await put(`${ONE}/errors/file`, 'x');
  });
  test.each<readonly [Op, string, string | undefined, number, string | undefined]>([
    ['OPEN', 'errors/none', undefined, 404, undefined],
    ['OPEN', 'errors/full', undefined, 400, 'EISDIR'],
    ['OPEN', 'errors/file/below', undefined, 400, 'ENOTDIR'],
    ['LISTSTATUS', 'errors/file', undefined, 400, 'ENOTDIR'],
    ['LISTSTATUS', 'errors/none', undefined, 404, undefined],
    ['MKDIRS', 'errors/file', undefined, 400, 'EEXIST'],
    ['MKDIRS', 'errors/file/below', undefined, 400, 'ENOTDIR'],
    ['MKDIRS', 'errors/full', undefined, 201, undefined],
    ['CREATE', 'errors/full', undefined, 400, 'EISDIR'],
    ['CREATE', 'errors/none/file', undefined, 404, undefined],
    ['CREATE', 'errors/file/below', undefined, 400, 'ENOTDIR'],
    ['DELETE', 'errors/full', 'recursive=false', 400, 'EISDIR'],
    ['DELETE', 'errors/none', 'recursive=true', 404, undefined],
    ['RENAME', 'errors/file', 'destination=/acme/one/errors/full', 400, 'EISDIR'],
    ['RENAME', 'errors/full', 'destination=/acme/one/errors/file', 400, 'ENOTDIR'],
    ['RENAME', 'errors/full', 'destination=/acme/one/errors/full/inner/x', 400, 'EINVAL'],
    ['RENAME', 'errors', 'destination=/acme/one/names/none/x', 404, undefined],
    ['RENAME', 'errors/none', 'destination=/acme/one/errors/x', 404, undefined],
    ['WRITE', 'errors/file', undefined, 400, undefined],
  ])('%s %s %s → %i %s', async (op, path, query, status, errno) => {
    const body = op === 'CREATE' || op === 'WRITE' ? { body: 'x' } : {};
    const answer = await ask('alice', op, `${ONE}/${path}`, { ...body, ...(query === undefined ? {} : { query }) });
    expect(await answerOf(answer)).toEqual({ status, ...(errno === undefined ? {} : { errno }) });
  });

  test('a folder that is not empty is not replaced by another', async () => {
    await ask('alice', 'MKDIRS', `${ONE}/errors/other`);
    const query = 'destination=/acme/one/errors/full';
    const answer = await ask('alice', 'RENAME', `${ONE}/errors/other`, { query });
    expect(await answerOf(answer)).toEqual({ status: 400, errno: 'ENOTEMPTY' });
  });
});

describe('ranges', () => {
  const content = randomBytes(100_000);
  beforeAll(() => put(`${ONE}/ranged`, content).then(() => undefined));

  test.each([
    ['bytes=10-19', 10, 20],
    ['bytes=99990-', 99_990, 100_000],
    ['bytes=99990-200000', 99_990, 100_000],
  ])('%s is answered by 206 with its place', async (range, from, to) => {
    const answer = await ask('alice', 'OPEN', `${ONE}/ranged`, { headers: { range } });
    expect([answer.status, answer.headers.get('content-range')]).toEqual([206, `bytes ${from}-${to - 1}/100000`]);
    expect(Buffer.from(await answer.arrayBuffer()).equals(content.subarray(from, to))).toBe(true);
  });

  test('one that begins behind the end is refused', async () => {
    const answer = await ask('alice', 'OPEN', `${ONE}/ranged`, { headers: { range: 'bytes=100000-' } });
    expect(answer.status).toBe(416);
  });

  test('a part is written where it belongs, again as well; one that is not as long as its range is not taken whole', async () => {
    const write = (range: string, body: string) =>
      ask('alice', 'WRITE', `${ONE}/written`, { body, headers: { 'content-range': range } });
    expect((await write('bytes 0-2/*', 'abc')).status).toBe(404);
    await put(`${ONE}/written`, 'abc');
    for (let nth = 0; nth < 2; nth += 1) expect((await write('bytes 3-5/*', 'def')).status).toBe(200);
    expect(await textOf(`${ONE}/written`)).toBe('abcdef');
    expect((await write('bytes 6-7/*', 'ghi')).status).toBe(400);
    expect((await write('bytes 7-6/*', 'x')).status).toBe(400);
    expect(await textOf(`${ONE}/written`)).toBe('abcdef');
  });
});

test('whoever reads a file that is replaced sees the one or the other, whole; what breaks off leaves nothing', async () => {
  const contents = [Buffer.alloc(700_000, 1), Buffer.alloc(500_000, 2)];
  await put(`${ONE}/replaced`, contents[0] ?? '');
  let over = false;
  const writing = (async () => {
    for (let nth = 0; nth < 30; nth += 1) await put(`${ONE}/replaced`, contents[(nth + 1) % 2] ?? '');
    over = true;
  })();
  let reads = 0;
  while (!over) {
    const seen = Buffer.from(await (await ask('alice', 'OPEN', `${ONE}/replaced`)).arrayBuffer());
    expect(contents.some((content) => content.equals(seen))).toBe(true);
    reads += 1;
  }
  await writing;
  expect(reads).toBeGreaterThan(3);
  const abort = new AbortController();
  const half = new ReadableStream({
    pull: (stream) => {
      stream.enqueue(new Uint8Array(1000));
      setTimeout(() => abort.abort(), 50);
      return new Promise(() => undefined);
    },
  });
  const broken = ask('alice', 'CREATE', `${ONE}/broken`, { body: half, signal: abort.signal, ...{ duplex: 'half' } });
  await expect(broken).rejects.toThrow('abort');
  await until('the upload is gone', 20, async () =>
    (await readdir(at('.delos/uploads'))).length === 0 ? true : undefined,
  );
  expect(existsSync(at('acme/one/broken'))).toBe(false);
});

describe('links that jobs make', () => {
  beforeAll(async () => {
    await ask('admin', 'CREATE', '/other/hidden/secret', { body: 'a secret of others' });
    await ask('alice', 'MKDIRS', `${ONE}/links/inner`);
    await put(`${ONE}/links/inner/file`, 'ours');
    const links = at('acme/one/links');
    await symlink('inner/file', join(links, 'good'));
    await symlink('../../../other/hidden', join(links, 'folder'));
    await symlink('../../../other/hidden/secret', join(links, 'file'));
    await symlink(at('other/hidden/secret'), join(links, 'absolute'));
    await symlink('/proc/self/root', join(links, 'root'));
    await symlink('circle', join(links, 'circle'));
  });

  test('are followed in the project', async () => {
    expect(await textOf(`${ONE}/links/good`)).toBe('ours');
  });

  test.each([
    'file',
    'folder',
    'folder/secret',
    'absolute',
    'root',
    'root/etc/passwd',
    'circle',
    'inner/../folder/secret',
  ])('%s leads nobody out of it', async (name) => {
    for (const op of ['OPEN', 'LISTSTATUS'] as const) {
      const answer = await ask('alice', op, `${ONE}/links/${name}`, NDJSON);
      expect(answer.status).toBe(400);
      expect(await answer.text()).not.toContain('secret of others');
    }
  });

  test('are listed with where they lead, and removed or replaced themselves', async () => {
    const listed = await lines(await ask('alice', 'LISTSTATUS', `${ONE}/links`, NDJSON));
    expect(listed).toContainEqual({
      FileStatus: expect.objectContaining({ path: 'folder', type: 'SYMLINK', target: '../../../other/hidden' }),
    });
    expect((await put(`${ONE}/links/file`, 'mine')).status).toBe(201);
    expect((await ask('alice', 'DELETE', `${ONE}/links/folder`, { query: 'recursive=true' })).status).toBe(204);
    expect((await ask('alice', 'CREATE', `${ONE}/links/root/tmp/x`, { body: 'x' })).status).toBe(400);
    expect(await readdir(at('other/hidden'))).toEqual(['secret']);
    expect(await readFile(at('other/hidden/secret'), 'utf8')).toBe('a secret of others');
  });

  test('that are swapped all the time lead nobody out of it either', async () => {
    const folder = at('acme/one/swapped');
    await ask('alice', 'MKDIRS', `${ONE}/swapped/x`);
    await put(`${ONE}/swapped/x/secret`, 'ours');
    await symlink('../../../other/hidden', join(folder, 'link'));
    const swapping = new Worker(new URL('../../support/files/swapping.ts', import.meta.url), {
      workerData: { folder },
    });
    const direct = `http://127.0.0.1:${served.files.port}${FILE_STORAGE_PATH}${ONE}/swapped/x`;
    const headers = { authorization: `Bearer ${tokens.get('alice')}`, accept: 'application/x-ndjson' };
    const seen = { in: 0, refused: 0, away: 0 };
    try {
      for (let nth = 0; nth < 150; nth += 1) {
        const answers = await Promise.all([
          fetch(`${direct}/secret?op=OPEN`, { headers }),
          fetch(`${direct}/made-${nth}?op=CREATE`, { method: 'PUT', body: 'x', headers }),
          fetch(`${direct}/folder-${nth}?op=MKDIRS`, { method: 'PUT', headers }),
          fetch(`${direct}?op=LISTSTATUS`, { headers }),
          fetch(`${direct}/folder-${nth - 1}?op=DELETE&recursive=true`, { method: 'DELETE', headers }),
        ]);
        const texts = await Promise.all(answers.map((answer) => answer.text()));
        for (const text of texts) expect(text).not.toContain('secret of others');
        for (const { status } of answers) {
          if (status < 300) seen.in += 1;
          else if (status === 404) seen.away += 1;
          else seen.refused += 1;
        }
      }
    } finally {
      const turns = new Promise((resolve, reject) => swapping.once('message', resolve).once('error', reject));
      swapping.postMessage('end');
      expect(await turns).toBeGreaterThan(1000);
      await swapping.terminate();
    }
    expect(await readdir(at('other/hidden'))).toEqual(['secret']);
    // Both ways were met.
    expect(seen.in).toBeGreaterThan(20);
    expect(seen.refused).toBeGreaterThan(20);
  });
});

describe('beside jobs, which are other users', () => {
  /** As root, and as a user of its own that has the group of the storage, with the usual umask. */
  const job = (user: number, script: string) =>
    execute([
      ...['setpriv', `--reuid=${user}`, `--regid=${user}`, `--groups=${FILE_STORAGE_USER}`],
      ...['sh', '-ceu', `umask 022; cd '${at('acme/one')}'; ${script}`],
    ]);

  test.each([0, 1234])(
    'what a job of user %i makes can be read, changed and removed, and the other way round',
    async (user) => {
      await chmod(join(served.files.data, '..'), 0o755);
      await chmod(served.files.data, 0o2771);
      await ask('alice', 'MKDIRS', `${ONE}/shared`);
      await put(`${ONE}/shared/up`, 'from the client');
      const script =
        'cat shared/up; echo more >>shared/up; mkdir -p shared/by/job; echo by a job >shared/by/job/file; mkfifo shared/by/pipe';
      expect(await job(user, script)).toMatchObject({ code: 0, stdout: 'from the client' });
      expect(await textOf(`${ONE}/shared/up`)).toBe('from the clientmore\n');
      expect(await textOf(`${ONE}/shared/by/job/file`)).toBe('by a job\n');
      const init = { body: 'BY', headers: { 'content-range': 'bytes 0-1/*' } };
      expect((await ask('alice', 'WRITE', `${ONE}/shared/by/job/file`, init)).status).toBe(200);
      expect(await job(user, 'cat shared/by/job/file')).toMatchObject({ stdout: 'BY a job\n' });
      expect(await answerOf(await ask('alice', 'OPEN', `${ONE}/shared/by/pipe`))).toEqual({
        status: 400,
        errno: 'EINVAL',
      });
      const removed = await lines(
        await ask('alice', 'DELETE', `${ONE}/shared`, { query: 'recursive=true', ...NDJSON }),
      );
      expect(removed.map(({ path }) => path).sort()).toEqual(
        ['', '/by', '/by/job', '/by/job/file', '/by/pipe', '/up'].map((path) => `${ONE}/shared${path}`),
      );
      expect(removed.at(-1)).toEqual({ path: `${ONE}/shared`, is_dir: true });
    },
  );
});

test('after SIGKILL in the middle of uploads nothing is left of them, and the client’s next request is served', async () => {
  const slow = new ReadableStream({
    pull: (stream) => {
      stream.enqueue(new Uint8Array(1000));
      return new Promise(() => undefined);
    },
  });
  const abort = new AbortController();
  const init = { body: slow, signal: abort.signal, duplex: 'half' } as const;
  const broken = ask('alice', 'CREATE', `${ONE}/killed`, init).then(
    ({ status }) => status,
    () => 'broken',
  );
  await until('an upload is under way', 20, async () =>
    (await readdir(at('.delos/uploads'))).length === 1 ? true : undefined,
  );
  await served.files.kill();
  // The gateway would wait for the rest of the body.
  abort.abort();
  expect(await broken).not.toBe(201);
  await served.files.up();
  expect(await readdir(at('.delos/uploads'))).toEqual([]);
  expect(existsSync(at('acme/one/killed'))).toBe(false);
  expect((await put(`${ONE}/after`, 'x')).status).toBe(201);
});

test('20,000 names are listed as they are read, with memory that does not grow with them', async () => {
  const folder = at('acme/one/many');
  await mkdir(folder);
  for (let nth = 0; nth < 20_000; nth += 1) await writeFile(join(folder, `file-${nth}`), '');
  const rss = async (): Promise<number> =>
    Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${served.files.pid}/status`, 'utf8'))?.[1]);
  const before = await rss();
  expect(await namesIn(`${ONE}/many`)).toHaveLength(20_000);
  expect(await rss()).toBeLessThan(before + 20_000);
  expect((await ask('alice', 'DELETE', `${ONE}/many`, { query: 'recursive=true' })).status).toBe(204);
  expect(existsSync(folder)).toBe(false);
});

test('what a project has is told by its metrics after a look; df tells of the volume', async () => {
  await put(`${ONE}/weighs`, randomBytes(400_000));
  await truncate(at('acme/one/weighs'), 400_000);
  expect((await lstat(at('acme/one'))).isDirectory() && (await stat(at('acme/one'))).gid).toBe(FILE_STORAGE_USER);
  await until('it has been looked at', 30, async (last) => {
    const text = await (await fetch(`http://127.0.0.1:${served.files.internalPort}/metrics`)).text();
    const bytes = /delos_files_project_bytes\{project="acme\/one"\} (\d+)/.exec(text)?.[1];
    last(bytes ?? text);
    return Number(bytes) >= 400_000 ? true : undefined;
  });
  const usage = z
    .object({ total: z.number(), used: z.number(), free: z.number() })
    .parse(await (await ask('alice', 'GETDISKUSAGE', ONE)).json());
  expect(usage.free).toBeLessThanOrEqual(usage.total);
  expect(usage.used).toBeGreaterThan(0);
});

test('a project is held to its quota, and has room again when something was removed', async () => {
  const { db } = served.database;
  const quota = async (files: number | undefined): Promise<void> => {
    const value = JSON.stringify(files === undefined ? {} : { files });
    await db.updateTable('projects').set({ quota: value }).where('name', '=', 'open').execute();
  };
  await quota(3 * 2 ** 20);
  const mib = randomBytes(2 ** 20);
  const open = '/acme/open';
  for (const name of ['a', 'b']) {
    expect((await ask('alice', 'CREATE', `${open}/${name}`, { body: new Uint8Array(mib) })).status).toBe(201);
  }
  const over = await ask('alice', 'CREATE', `${open}/c`, { body: new Uint8Array(2 * 2 ** 20) });
  expect(await answerOf(over)).toEqual({ status: 400, errno: 'EDQUOT' });
  const init = { body: new Uint8Array(2 * 2 ** 20), headers: { 'content-range': `bytes 1-${2 * 2 ** 20}/*` } };
  expect(await answerOf(await ask('alice', 'WRITE', `${open}/a`, init))).toEqual({ status: 400, errno: 'EDQUOT' });
  expect(existsSync(at('acme/open/c'))).toBe(false);
  const usage = await (await ask('alice', 'GETDISKUSAGE', open)).json();
  expect(usage).toMatchObject({ total: 3 * 2 ** 20 });
  await ask('alice', 'DELETE', `${open}/a`);
  await until('there is room', 30, async () => {
    const { status } = await ask('alice', 'CREATE', `${open}/c`, { body: new Uint8Array(mib) });
    return status === 201 ? true : undefined;
  });
  await quota(undefined);
});

test('jobs that can write to a project that is over its quota are ended; those that read, or began after the look, run on', async () => {
  const { db } = served.database;
  const folder = '/acme/open/of-jobs';
  const made = async (readOnly: boolean): Promise<string> => {
    const volume = { src_storage_uri: `storage://default${folder}`, dst_path: '/mnt', read_only: readOnly };
    const place = { cluster_name: 'default', org_name: 'acme', project_name: 'one' };
    const body = { preset_name: 'cpu-small', image: 'registry.delos.internal/base', ...place, volumes: [volume] };
    const answer = await served.api.request('alice', 'POST', '/jobs?from_preset', body);
    expect([answer.status, answer.text]).toEqual([202, expect.any(String)]);
    return z.object({ id: z.string() }).parse(answer.json).id;
  };
  const runs = async (id: string): Promise<void> => {
    const began = { phase: 'running', status: 'running', started_at: new Date(), pod_uid: id, node: 'n' } as const;
    await db.updateTable('jobs').set(began).where('id', '=', id).execute();
  };
  const stateOf = async (id: string): Promise<unknown> =>
    db.selectFrom('jobs').select(['status', 'reason']).where('id', '=', id).executeTakeFirst();
  const [writer, reader, later] = [await made(false), await made(true), await made(false)];
  await runs(writer);
  await runs(reader);
  await db
    .updateTable('projects')
    .set({ quota: JSON.stringify({ files: 2 ** 20 }) })
    .where('name', '=', 'open')
    .execute();
  await stopWriters(served.api.deps);
  expect(await stateOf(writer)).toMatchObject({ status: 'running' });
  await writeFile(at('acme/open/of-jobs/large'), randomBytes(2 * 2 ** 20));
  await until('the writer is ended', 30, async () => {
    await stopWriters(served.api.deps);
    const row = await db.selectFrom('jobs').select('status').where('id', '=', writer).executeTakeFirst();
    return row?.status === 'failed' ? true : undefined;
  });
  expect(await stateOf(writer)).toEqual({ status: 'failed', reason: 'QuotaExceeded' });
  expect(await stateOf(reader)).toMatchObject({ status: 'running' });
  await db
    .updateTable('jobs')
    .set({ started_at: new Date(Date.now() + 60_000), phase: 'running', status: 'running' })
    .where('id', '=', later)
    .execute();
  await stopWriters(served.api.deps);
  expect(await stateOf(later)).toMatchObject({ status: 'running' });
  await db.updateTable('projects').set({ quota: '{}' }).where('name', '=', 'open').execute();
});
