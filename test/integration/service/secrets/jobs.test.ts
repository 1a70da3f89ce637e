import { describe, expect, test } from 'vitest';
import { MIB, SECOND, SecretApi, uri } from './secret-api.ts';

/* Secrets that jobs have. */

const secrets = new SecretApi();

describe('a job', () => {
  test('has secrets as variables and files; their values go to the agent until it runs, and nowhere else', async () => {
    await secrets.add('one', 'value-one');
    await secrets.add('two', 'value-two');
    const given = {
      secret_env: { ONE: uri('one'), AGAIN: uri('one') },
      secret_volumes: [
        { src_secret_uri: uri('one'), dst_path: '/run/one' },
        { src_secret_uri: uri('two'), dst_path: '/run//two' },
      ],
    };
    const { status, json } = await secrets.run(given);
    expect(status).toBe(202);
    expect(json.container).toMatchObject({ secret_env: given.secret_env, env: {} });
    await secrets.admit(json.id);
    const { kept } = await secrets.desired(json.id);
    expect(kept.spec.pod.secrets).toEqual([
      { org: 'acme', project: 'one', key: 'one', env: ['ONE', 'AGAIN'], files: ['/run/one'] },
      { org: 'acme', project: 'one', key: 'two', env: [], files: ['/run/two'] },
    ]);
    expect(await secrets.values(json.id)).toEqual(['value-one', 'value-two']);
    // Another value counts as long as the job has not started.
    await secrets.add('two', 'value-three');
    expect(await secrets.values(json.id)).toEqual(['value-one', 'value-three']);
    await secrets.database.db.updateTable('jobs').set({ phase: 'running' }).where('id', '=', json.id).execute();
    expect(await secrets.values(json.id)).toEqual([]);
  });

  test('whose secret was removed, or cannot be decrypted, is told so by the agent', async () => {
    await secrets.add('gone', 'x');
    await secrets.add('locked', 'x');
    const { json } = await secrets.run({ secret_env: { A: uri('gone'), B: uri('locked') } });
    await secrets.admit(json.id);
    await secrets.remove('gone');
    secrets.accepted = [SECOND];
    expect(await secrets.values(json.id)).toEqual([
      'secret "gone" of project acme/one was removed before the job could start',
      'secret "locked" of project acme/one cannot be decrypted: add it again, or tell the administrator',
    ]);
  });

  test.each<[string, object, RegExp]>([
    [
      'a secret that is not there',
      { secret_env: { A: uri('none') } },
      /^secret_env\.A: there is no secret "none" in this project; apolo secret ls/,
    ],
    [
      'one of a project of others',
      { secret_env: { A: uri('theirs', 'other/hidden') } },
      /^secret_env\.A: there is no secret "theirs" in project other\/hidden/,
    ],
    [
      'one of another cluster',
      { secret_env: { A: 'secret://far/acme/one/text' } },
      /the job runs in cluster default, and this secret is in far/,
    ],
    [
      'what is no address',
      { secret_env: { A: 'secret:text' } },
      /^secret_env\.A: expected secret:\/\/CLUSTER\/ORG\/PROJECT\/KEY/,
    ],
    ['bytes as a variable', { secret_env: { A: uri('bytes') } }, /holds bytes that are no text.*-v secret:bytes:/],
    ['too much as a variable', { secret_env: { A: uri('large') } }, /is larger than a variable can be/],
    [
      'more than 4 MiB',
      {
        secret_volumes: ['m1', 'm2', 'm3', 'm4', 'm5'].map((key) => ({
          src_secret_uri: uri(key),
          dst_path: `/${key}`,
        })),
      },
      /at most 4 MiB together/,
    ],
    [
      'two secrets in one file',
      { secret_volumes: ['text', 'bytes'].map((key) => ({ src_secret_uri: uri(key), dst_path: '/s' })) },
      /^secret_volumes\.1\.dst_path: \/s is another secret’s file/,
    ],
    [
      'a relative path',
      { secret_volumes: [{ src_secret_uri: uri('text'), dst_path: 's' }] },
      /dst_path: expected the absolute path/,
    ],
    [
      'a folder',
      { secret_volumes: [{ src_secret_uri: uri('text'), dst_path: '/s/' }] },
      /dst_path: expected the absolute path/,
    ],
    [
      'a path of the kernel',
      { secret_volumes: [{ src_secret_uri: uri('text'), dst_path: '/proc/x' }] },
      /the kernel’s own folders/,
    ],
    [
      'a variable that is set too',
      { env: { A: '1' }, secret_env: { A: uri('text') } },
      /^secret_env\.A: A is set twice/,
    ],
    ['no name of a variable', { secret_env: { '1 A': uri('text') } }, /^secret_env\.1 A: /],
  ])('is refused with %s, in one sentence', async (_what, given, words) => {
    await secrets.add('text', 'x');
    await secrets.add('bytes', Buffer.from([1, 0, 2]));
    await secrets.add('large', 'x'.repeat(128 * 1024));
    for (const key of ['m1', 'm2', 'm3', 'm4', 'm5']) await secrets.add(key, Buffer.alloc(MIB));
    await secrets.api.request('bob', 'POST', '/secrets', {
      key: 'theirs',
      value: 'eA==',
      org_name: 'other',
      project_name: 'hidden',
    });
    const { status, json } = await secrets.run(given);
    expect([status, json.error]).toEqual([400, expect.stringMatching(words)]);
    expect(json.error).not.toContain('\n');
  });

  test('has another project’s secret where the user could run a job there, and not where the user may only read', async () => {
    await secrets.add('text', 'value-of-one');
    const given = { secret_env: { A: uri('text') } };
    const { json } = await secrets.run(given, 'alice', 'open');
    await secrets.admit(json.id);
    expect(await secrets.values(json.id)).toEqual(['value-of-one']);
    await secrets.database.db
      .insertInto('members')
      .values({ org: 'acme', project: 'tight', user_name: 'rita', role: 'writer' })
      .execute();
    const refused = await secrets.run(given, 'rita', 'tight');
    expect([refused.status, refused.json.error]).toEqual([
      400,
      expect.stringMatching(/there is no secret "text" in project acme\/one/),
    ]);
    await secrets.database.db
      .deleteFrom('members')
      .where('user_name', '=', 'rita')
      .where('project', '=', 'tight')
      .execute();
  });
});
