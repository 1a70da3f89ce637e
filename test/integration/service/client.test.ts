import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApoloClient, apoloClient } from '../../../peers/src/apolo.ts';
import { recordObservation } from '../../../runtime/service/src/db/jobs-state.ts';
import { type ApiOnPostgres, startApiOnPostgres } from '../../support/service/control-api.ts';
import { observation } from '../../support/service/observer.ts';
import { until } from '../../support/until.ts';

/*
 * The official client against the control API and a real PostgreSQL. No cluster is needed for what is refused, listed
 * or only written down.
 */

let served: ApiOnPostgres & { readonly stop: () => Promise<void> };
let alice: ApoloClient;

beforeAll(async () => {
  [served, alice] = await Promise.all([startApiOnPostgres(), apoloClient()]);
  const token = await served.issuer.token('alice');
  await alice.ok(['config', 'login-with-token', token, `${served.api.url}/api/v1`]);
});
afterAll(async () => {
  await alice?.close();
  await served?.stop();
});

const start = async (...options: readonly string[]): Promise<string> => {
  const run = ['run', '--detach', '--no-wait-start', '--preset', 'cpu-small', ...options, 'ubuntu:24.04', '--', 'true'];
  return /job-[0-9a-f-]{36}/.exec(await alice.ok(run))?.[0] ?? '';
};
const jobs = async () =>
  await served.database.db.selectFrom('jobs').select(['id', 'status', 'status_description']).execute();

describe('a command of a service that this release has not says so in one line', () => {
  test.each(
    [
      ['storage ls', 'storage df', 'storage mkdir storage:x', 'storage rm storage:x', 'storage tree'],
      ['image ls', 'image tags image:x', 'image size image:x:1'],
      ['blob lsbucket', 'blob mkbucket', 'blob ls blob:x', 'blob lscredentials'],
      ['app ls', 'app get-values', 'app-template ls', 'vcluster list-service-accounts'],
      ['admin add-user-credits acme alice --credits 1', 'config show --energy'],
    ].map((commands) => [commands] as const),
  )('%j', async (commands) => {
    for (const command of commands) {
      const { code, stderr } = await alice.run(command.split(' '));
      expect(code, command).not.toBe(0);
      expect(stderr.trim(), command).toMatch(/^ERROR: [^\n]*not part of this release of Delos\)?$/);
    }
  });
});

test.each([
  'admin get-org-users acme',
  'admin get-cluster-users',
  'admin get-user-quota default alice acme',
  'admin get-project-users default one',
  'admin get-projects default',
  'admin get-clusters',
  'config show',
  'acl ls',
])('a command that reads what delos.yaml says works: %s', async (command) => {
  expect(await alice.ok(command.split(' '))).not.toBe('');
});

describe('a job that is not there', () => {
  test.each([
    ['status nope', 65],
    ['job generate-run-command nope', 65],
    ['job bump-life-span nope 1d', 65],
    ['kill nope', 1],
    ['kill job-00000000-0000-4000-8000-000000000000', 1],
  ])('is one line: %s', async (command, exit) => {
    const { code, stdout, stderr } = await alice.run(command.split(' '));
    expect([code, stdout]).toEqual([exit, '']);
    expect(stderr.trim()).toMatch(/^[^\n]*there is no job "[^\n]*; apolo ps --all lists the jobs of your project\)?$/);
  });
});

describe('run --share', () => {
  test('with somebody who is not there is refused, and leaves no job', async () => {
    const before = await jobs();
    const command = ['run', '--detach', '--no-wait-start', '--share', 'zoe', '--preset', 'cpu-small', 'ubuntu:24.04'];
    const { code, stderr } = await alice.run(command);
    expect(code).toBe(72);
    expect(stderr.trim()).toMatch(
      /^ERROR: there is no user or service account "zoe", so job-\S+ was ended again[^\n]*$/,
    );
    const made = (await jobs()).filter(({ id }) => !before.some((job) => job.id === id));
    expect(made).toEqual([expect.objectContaining({ status: 'cancelled' })]);
  });

  test('with somebody who may anyway is done', async () => {
    const id = await start('--share', 'admin');
    expect((await jobs()).find((job) => job.id === id)?.status).toBe('pending');
  });

  test('with somebody else is a grant, which `acl ls --shared` shows and `acl revoke` takes back', async () => {
    const id = await start('--share', 'rita');
    expect(await alice.ok(['acl', 'ls', '--shared', '--full-uri'])).toMatch(new RegExp(`${id}\\s+write\\s+rita`));
    await alice.ok(['acl', 'revoke', `job:${id}`, 'rita']);
    expect(await alice.ok(['acl', 'ls', '--shared', '--full-uri'])).not.toContain(id);
  });
});

test('secrets are added, listed and removed, and jobs have them', async () => {
  await alice.ok(['secret', 'add', 'token', 'seeded-value']);
  expect(await alice.ok(['secret', 'ls', '--full-uri'])).toContain('secret://default/acme/one/token');
  const get = await alice.run(['secret', 'get', 'token']);
  expect([get.code, get.stderr.trim()]).toEqual([
    77,
    expect.stringMatching(/^ERROR: [^\n]*is given to jobs alone[^\n]*$/),
  ]);
  const id = await start('-e', 'TOKEN=secret:token', '-v', 'secret:token:/run/token', '--name', 'with-secrets');
  expect(await alice.ok(['job', 'generate-run-command', id])).toMatch(
    /--volume secret:\/\/default\/acme\/one\/token:\/run\/token .*--env TOKEN=secret:\/\/default\/acme\/one\/token/s,
  );
  await alice.ok(['secret', 'rm', 'token']);
  const missing = ['run', '--detach', '--no-wait-start', '-e', 'A=secret:token', 'ubuntu:24.04'];
  const { code, stderr } = await alice.run(missing);
  expect([code, stderr.trim()]).toEqual([
    65,
    expect.stringMatching(/there is no secret "token" in this project; [^\n]*$/),
  ]);
});

test('what runs on a stand-in says so in `status`, and its description stays its user’s', async () => {
  const id = await start('--description', 'mine', '--name', 'standing-in');
  const { db } = served.database;
  await db.updateTable('jobs').set({ phase: 'admitted', pool: 'default' }).where('id', '=', id).execute();
  const seen = observation(id, { standIn: 'Debian 12', startedAt: new Date().toISOString() });
  await served.database.tx((tx) => recordObservation(tx, id, seen));
  expect(await alice.ok(['status', id])).toMatch(/Status\s+running \(stand-in image: Debian 12\)/);
  expect(await alice.ok(['ps', '--description', 'mine'])).toContain('standing-in');
  expect(await alice.ok(['job', 'generate-run-command', id])).toMatch(/--description mine(\s|$)/);
});

test('who asks for an http port is told at once that no URL leads there', async () => {
  const command = ['run', '--detach', '--http-port', '8080', '--preset', 'cpu-small', 'ubuntu:24.04', '--', 'true'];
  const run = alice.start(command, { timeout: 60 });
  await until('the client shows why', 50, async (last) => {
    last(run.stdout());
    return (
      /port 8080 gets no URL, since jobs of this\s+platform have no addresses: apolo port-forward reaches\s+it/.test(
        run.stdout(),
      ) || undefined
    );
  });
  run.child.kill('SIGKILL');
  await run.end;
});
