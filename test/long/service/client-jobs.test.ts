import { chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ApoloClient, apoloClient } from '../../../peers/src/apolo.ts';
import { splitWords } from '../../../runtime/service/src/api/resources/jobs/shlex.ts';
import type { JobRow } from '../../../runtime/service/src/db/schema.ts';
import { type ApiOnPostgres, startApiOnPostgres } from '../../support/service/control-api.ts';

/*
 * Every option of `apolo run` and `apolo job`, as the official client sends it to the control API over a real PostgreSQL:
 * what the job's row and the Pod's specification have of it, or the sentence that refuses it.
 */

let served: ApiOnPostgres & { readonly stop: () => Promise<void> };
let alice: ApoloClient;

beforeAll(async () => {
  [served, alice] = await Promise.all([startApiOnPostgres(), apoloClient()]);
  await alice.ok(['config', 'login-with-token', await served.issuer.token('alice'), `${served.api.url}/api/v1`]);
  await alice.ok(['secret', 'add', 'token', 'value']);
  const file = join(alice.home, 'variables');
  await writeFile(file, 'FROM_FILE=2\nSECRET_FROM_FILE=secret:token\n# none\n');
  await chown(file, alice.user.uid, alice.user.uid);
});
afterAll(async () => {
  await alice?.close();
  await served?.stop();
});
beforeEach(async () => {
  await served.database.db.deleteFrom('jobs').execute();
});

const only = async (): Promise<JobRow> => {
  const rows = await served.database.db.selectFrom('jobs').selectAll().execute();
  const [row] = rows;
  if (row === undefined || rows.length > 1) throw new Error(`${rows.length} jobs`);
  return row;
};
const run = (...options: readonly string[]) =>
  alice.run(['run', '--detach', '--no-wait-start', ...options, 'ubuntu:24.04', '--', 'echo', 'a b', '$HOME']);

const SECRET = { org: 'acme', project: 'one', key: 'token' };

describe('apolo run', () => {
  test.each<[readonly string[], object]>([
    [
      [],
      {
        preset: 'cpu-small',
        max_run_time_minutes: 1440,
        spec: { command: ['echo', 'a b', '$HOME'], tty: false, resources: { shm: true } },
      },
    ],
    [['--preset', 'cpu-large'], { preset: 'cpu-large', spec: { resources: { cpu: 2 } } }],
    [['--no-extshm'], { spec: { resources: { shm: false } } }],
    [['--http-port', '8080', '--no-http-auth'], { request: { http: { port: 8080, requires_auth: false } } }],
    [['--name', 'of-mine'], { name: 'of-mine' }],
    [['--tag', 'a', '--tag', 'b:c'], { tags: ['a', 'b:c'] }],
    [['--description', 'why not'], { description: 'why not' }],
    [['--entrypoint', 'sh -c "x y"'], { spec: { entrypoint: ['sh', '-c', 'x y'] } }],
    [['--workdir', '/tmp/x'], { spec: { workingDir: '/tmp/x' } }],
    [['--env', 'A=1', '--env', 'B=x=y'], { spec: { env: { A: '1', B: 'x=y' } } }],
    [['--env', 'A=secret:token'], { spec: { secrets: [{ ...SECRET, env: ['A'], files: [] }] } }],
    [['--volume', 'secret:token:/run/token'], { spec: { secrets: [{ ...SECRET, env: [], files: ['/run/token'] }] } }],
    [
      ['--env-file', 'variables'],
      { spec: { env: { FROM_FILE: '2' }, secrets: [{ ...SECRET, env: ['SECRET_FROM_FILE'], files: [] }] } },
    ],
    [['--restart', 'always'], { spec: { restartPolicy: 'always' } }],
    [['--restart', 'on-failure'], { spec: { restartPolicy: 'on-failure' } }],
    [['--life-span', '2h30m'], { max_run_time_minutes: 150 }],
    [['--life-span', '0'], { max_run_time_minutes: null }],
    [['--schedule-timeout', '1m30s'], { schedule_timeout: 90 }],
    [['--priority', 'high'], { priority: 1 }],
    [['--priority', 'low'], { priority: -1 }],
    [['--tty'], { spec: { tty: true } }],
    [['--privileged', '--project', 'open'], { project: 'open', spec: { security: 'privileged' } }],
    [
      ['--cluster', 'default', '--org', 'acme', '--project', 'open'],
      { cluster: 'default', org: 'acme', project: 'open' },
    ],
  ])('with %j', async (options, expected) => {
    const { code, stderr } = await run(...options);
    expect(code, stderr).toBe(0);
    expect(await only()).toMatchObject(expected);
  });

  test('--wait-for-seat waits where the number of running jobs is reached; without it, it is refused', async () => {
    expect((await run('--project', 'tight')).code).toBe(0);
    const refused = await run('--project', 'tight');
    expect([refused.code, refused.stderr]).toEqual([65, expect.stringContaining('--wait-for-seat')]);
    expect((await run('--project', 'tight', '--wait-for-seat')).code).toBe(0);
  });

  test.each([
    [['--privileged'], /project acme\/one may not run privileged jobs/],
    [['--pass-config'], /a job does not reach this platform at http:\/\/127/],
    [['--energy-schedule', 'night'], /energy schedules are not part of this release/],
    [['--env', 'A=secret:none'], /there is no secret "none" in this project/],
  ])('with %j is refused in one line, and nothing is made', async (options, words) => {
    const { code, stderr } = await run(...options);
    expect(code).not.toBe(0);
    expect(stderr.trim()).toMatch(words);
    expect(stderr.trim()).toMatch(/^ERROR: [^\n]*$/);
    expect(await served.database.db.selectFrom('jobs').selectAll().execute()).toEqual([]);
  });

  test('what generate-run-command prints makes the same job again', async () => {
    await run(
      ...['--name', 'again', '--tag', 'x', '--description', 'same', '--env', 'A=1', '--env', 'S=secret:token'],
      ...['--volume', 'secret:token:/t', '--workdir', '/w', '--entrypoint', 'sh', '--restart', 'on-failure'],
      ...['--life-span', '3h', '--schedule-timeout', '5m', '--priority', 'high', '--no-extshm', '--http-port', '81'],
    );
    const first = await only();
    const line = await alice.ok(['job', 'generate-run-command', 'again']);
    await served.database.db.deleteFrom('jobs').execute();
    const words = splitWords(line, 'line');
    const again = await alice.run(['run', '--detach', '--no-wait-start', ...words.slice(words.indexOf('run') + 1)]);
    expect(again.code, again.stderr).toBe(0);
    const second = await only();
    const shown = ({
      name,
      tags,
      description,
      preset,
      priority,
      schedule_timeout: timeout,
      spec,
      request,
    }: JobRow): object => {
      const { NEURO_JOB_ID: _neuro, APOLO_JOB_ID: _apolo, ...env } = spec.env;
      return { name, tags, description, preset, priority, timeout, request, spec: { ...spec, env } };
    };
    expect(shown(second)).toEqual(shown(first));
  });
});

describe('apolo job', () => {
  test('ls prints what it is asked for', async () => {
    await run('--name', 'seen-job', '--tag', 't');
    const { id } = await only();
    expect(await alice.ok(['job', 'ls', '--format', '{id}{name}{preset}'])).toMatch(
      new RegExp(`${id} +seen-job +cpu-small`),
    );
    expect(await alice.ok(['-q', 'job', 'ls', '--all-projects', '--all-orgs', '--distinct'])).toContain(id);
    expect(await alice.ok(['job', 'ls', '--wide', '--full-uri', '--owner', 'ME'])).toContain(id);
  });

  test('browse of a job without an address is refused in words', async () => {
    await run('--name', 'no-page');
    const { code, stderr } = await alice.run(['job', 'browse', 'no-page']);
    expect([code !== 0, stderr.trim()]).toEqual([
      true,
      expect.stringMatching(/^ERROR: [^\n]*Cannot browse job URL[^\n]*$/),
    ]);
  });

  test('bump-life-span adds to what a job has', async () => {
    await run('--name', 'bumped', '--life-span', '1h');
    await alice.ok(['job', 'bump-life-span', 'bumped', '30m']);
    expect((await only()).max_run_time_minutes).toBe(90);
  });

  test('kill ends many, and says which it could not', async () => {
    await run('--name', 'kill-one');
    await run('--name', 'kill-two');
    const { code, stderr } = await alice.run(['job', 'kill', 'kill-one', 'none-such', 'kill-two']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('none-such')]);
    const rows = await served.database.db.selectFrom('jobs').select('status').execute();
    expect(rows.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
  });
});
