import { describe, expect, test } from 'vitest';
import { IN_ONE, MIB, SecretApi, uri } from './secret-api.ts';

/* Secrets by themselves: made, counted, found, and given to nobody. */

const secrets = new SecretApi();

describe('a secret', () => {
  test('is made, listed and removed, and its value is given to nobody', async () => {
    const made = await secrets.add('db-password', 'hunter2-hunter2');
    const shown = { key: 'db-password', owner: 'alice', org_name: 'acme', project_name: 'one' };
    expect([made.status, made.json]).toEqual([201, shown]);
    expect(await secrets.list()).toEqual([shown]);
    expect(await secrets.list('alice', 'org_name=acme')).toEqual([shown]);
    expect(await secrets.list('rita')).toEqual([shown]);
    expect(await secrets.list('bob')).toEqual([]);
    const read = await secrets.api.request('alice', 'GET', `/secrets/db-password?${IN_ONE}`);
    expect([read.status, read.json.error]).toEqual([
      403,
      expect.stringMatching(/^the value of secret db-password is given to jobs alone/),
    ]);
    expect((await secrets.remove('db-password')).status).toBe(204);
    expect(await secrets.list()).toEqual([]);
  });

  test.each<[string, string, string | Buffer, object, string, number, RegExp]>([
    ['a blank in its name', 'a b', 'x', {}, 'alice', 400, /^key: expected 1–253 letters, digits and - \. _/],
    ['two dots first', '..a', 'x', {}, 'alice', 400, /^key: /],
    ['a slash in its name', 'a/b', 'x', {}, 'alice', 400, /^key: /],
    ['a value that is too large', 'k', Buffer.alloc(MIB + 1), {}, 'alice', 400, /^value: a secret is at most 1 MiB/],
    ['a value that is no base64', 'k', '', { value: 'hunter2 hunter2' }, 'alice', 400, /^value: expected base64/],
    [
      'a project of others',
      'k',
      'x',
      { org_name: 'other', project_name: 'hidden' },
      'alice',
      403,
      /no member of project other\/hidden/,
    ],
    ['a reader', 'k', 'x', {}, 'rita', 403, /may only read in project acme\/one/],
  ])('is refused with %s', async (_what, key, value, given, user, status, words) => {
    const answer = await secrets.add(key, value, given, user);
    expect([answer.status, answer.json.error]).toEqual([status, expect.stringMatching(words)]);
    expect(answer.text).not.toContain('hunter2');
    expect(await secrets.list()).toEqual([]);
  });

  test('takes any name and bytes that are allowed, 1 MiB too', async () => {
    const bytes = Buffer.alloc(MIB, 7);
    expect((await secrets.add('A.b_c-9', bytes)).status).toBe(201);
    expect((await secrets.add('.hidden', '')).status).toBe(201);
    const { json } = await secrets.run({ secret_volumes: [{ src_secret_uri: uri('A.b_c-9'), dst_path: '/s' }] });
    await secrets.admit(json.id);
    expect(await secrets.values(json.id)).toEqual([bytes.toString()]);
  });

  test('of another project is answered as one that is not there', async () => {
    await secrets.add('mine', 'x');
    for (const method of ['GET', 'DELETE']) {
      const answer = await secrets.api.request('bob', method, `/secrets/mine?${IN_ONE}`);
      expect([answer.status, answer.json.error]).toEqual([404, expect.stringMatching(/^there is no secret "mine"/)]);
    }
    expect((await secrets.api.request('rita', 'DELETE', `/secrets/mine?${IN_ONE}`)).status).toBe(403);
  });

  test('is one of a bounded number, and of bounded bytes, also where many come at once', async () => {
    const rows = Array.from({ length: 495 }, (_, index) => ({
      ...{ cluster: 'default', org: 'acme', project: 'one', name: `k${index}`, owner: 'alice' },
      ...{ sealed: Buffer.alloc(1), wrapped_key: Buffer.alloc(1), key_id: 'x', bytes: 1, is_text: true },
    }));
    await secrets.database.db.insertInto('secrets').values(rows).execute();
    const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => secrets.add(`new${index}`, 'x')));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(5);
    expect(answers.find(({ status }) => status === 400)?.json.error).toMatch(
      /^project acme\/one has 500 secrets, the most/,
    );
    // Another value for one that is there is no further one.
    expect((await secrets.add('new0', 'x')).status).toBe(
      (await secrets.list()).some(({ key }) => key === 'new0') ? 201 : 400,
    );
    await secrets.database.db
      .updateTable('secrets')
      .set({ bytes: 32 * MIB })
      .where('name', '=', 'k1')
      .execute();
    await secrets.database.db.deleteFrom('secrets').where('name', '=', 'k2').execute();
    expect((await secrets.add('k3', 'xx')).json.error).toMatch(
      /^project acme\/one has secrets of 32 MiB with this one/,
    );
  });
});
