import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApoloClient, apoloClient } from '../../../peers/src/apolo.ts';
import { type ApiOnPostgres, startApiOnPostgres } from '../../support/service/control-api.ts';
import { apoloBatch, type BatchResult } from '../../support/tenancy/apolo-batch.ts';

/*
 * `apolo acl` and `apolo service-account`, by the official client, as the administrator, a writer (alice), a reader (rita) and somebody of
 * another organization (bob).
 */

type Person = 'admin' | 'alice' | 'bob' | 'rita';
const PEOPLE: readonly Person[] = ['admin', 'alice', 'bob', 'rita'];
const PROJECT = '//default/acme/one';

/** Who, the command, whether it is done, and what it says. */
type Step = readonly [Person, string, 'done' | 'refused', string | RegExp];
const STEPS: readonly Step[] = [
  ['bob', `status job:${PROJECT}/JOB`, 'refused', 'there is no job'],
  ['alice', 'acl grant job:JOB bob read', 'done', ''],
  ['bob', `status job:${PROJECT}/JOB`, 'done', 'JOB'],
  ['bob', `kill job:${PROJECT}/JOB`, 'refused', 'Not enough permissions'],
  ['alice', 'acl ls --shared --full-uri', 'done', /job:\/\/default\/acme\/one\/job-\S+\s+read\s+bob/],
  ['bob', 'acl ls --full-uri job:', 'done', 'job://default/acme/one/JOB'],
  ['alice', 'share job:JOB bob write', 'done', ''],
  ['alice', 'acl revoke job:JOB bob', 'done', ''],
  ['bob', `status job:${PROJECT}/JOB`, 'refused', 'there is no job'],
  ['bob', 'acl list --full-uri', 'done', 'storage://default/other/hidden'],
  ['alice', 'acl revoke job:JOB bob', 'refused', 'bob was given nothing'],
  ['alice', `acl grant disk:${PROJECT} bob read`, 'refused', 'alice is no manager of project acme/one'],
  ['rita', 'acl grant job:JOB bob read', 'refused', 'rita is no manager of project acme/one'],
  ['bob', 'acl grant job://default/acme/one/JOB bob manage', 'refused', 'or it is not yours to see'],
  ...['storage', 'disk', 'blob', 'secret', 'job'].map(
    (scheme): Step => ['admin', `acl grant ${scheme}:${PROJECT} bob read`, 'done', ''],
  ),
  ['admin', `acl grant image:${PROJECT}/model bob read`, 'done', ''],
  ['bob', 'acl ls --full-uri', 'done', 'image://default/acme/one/model'],
  ['bob', 'config show', 'done', ''],
  ['admin', `acl revoke storage:${PROJECT} bob`, 'done', ''],
  ['admin', `acl grant storage:${PROJECT}/folder bob read`, 'refused', 'not part of this release of Delos'],
  ['alice', 'acl list-roles', 'done', ''],
  ['alice', 'acl add-role mine/own', 'refused', 'not part of this release of Delos'],
  ['alice', 'acl remove-role mine/own', 'refused', 'not part of this release of Delos'],
  ['alice', 'service-account create --name ci', 'done', 'alice.sa.ci'],
  ['alice', 'service-account ls', 'done', 'alice.sa.ci'],
  ['alice', 'service-account get ci', 'done', 'alice.sa.ci'],
  ['alice', 'acl grant job:JOB alice.sa.ci read', 'done', ''],
  ['alice', 'acl ls -u alice.sa.ci --full-uri', 'done', 'job://default/acme/one/JOB'],
  ['bob', 'service-account get ci', 'refused', 'there is no service account'],
  ['alice', 'service-account rm ci', 'done', ''],
  ['alice', 'service-account get ci', 'refused', 'there is no service account'],
];

let served: ApiOnPostgres & { readonly stop: () => Promise<void> };
let client: ApoloClient;
let job = '';
const answers = new Map<Step, BatchResult>();
beforeAll(async () => {
  [served, client] = await Promise.all([startApiOnPostgres(), apoloClient()]);
  const logins = await Promise.all(
    PEOPLE.map(async (person) => ({
      person,
      words: ['config', 'login-with-token', await served.issuer.token(person), `${served.api.url}/api/v1`],
    })),
  );
  const request = { preset_name: 'cpu-small', org_name: 'acme', project_name: 'one', image: 'ubuntu:24.04' };
  job = (await served.api.request('alice', 'POST', '/jobs?from_preset', request)).json.id;
  const commands = STEPS.map(([person, command]) => ({ person, words: command.replace('JOB', job).split(' ') }));
  const results = await apoloBatch(client, [...logins, ...commands]);
  for (const login of results.slice(0, logins.length)) expect(login).toMatchObject({ code: 0 });
  for (const [index, step] of STEPS.entries()) {
    const result = results[logins.length + index];
    if (result !== undefined) answers.set(step, result);
  }
});
afterAll(async () => {
  await client?.close();
  await served?.stop();
});

test.each(STEPS.map((step) => [step[0], step[1], step[2], step] as const))(
  '%s: apolo %s: %s',
  (_who, _what, _end, step) => {
    const { code, out, err } = answers.get(step) ?? { code: -1, out: '', err: 'it was not run' };
    const [, , end, said] = step;
    expect(code === 0 ? 'done' : 'refused', err).toBe(end);
    const text = (end === 'done' ? out : err).replace(/\s+/g, ' ');
    expect(text).toMatch(said instanceof RegExp ? said : new RegExp(RegExp.escape(said.replace('JOB', job))));
  },
);

test('what a service account’s making gives is a configuration that the client takes', async () => {
  const account = { name: 'robot', default_cluster: 'default', default_org: 'acme', default_project: 'one' };
  const { json } = await served.api.request('alice', 'POST', '/service_accounts', account);
  const env = { APOLO_PASSED_CONFIG: json.token, APOLO_CONFIG: join(client.home, '.apolo-robot') };
  expect(await client.ok(['config', 'show'], { env })).toContain('alice.sa.robot');
  await served.api.request('admin', 'POST', `/users/${json.role}/permissions`, [
    { uri: 'job://default/acme/one', action: 'write' },
  ]);
  const run = ['run', '--detach', '--no-wait-start', '--preset', 'cpu-small', 'ubuntu:24.04', '--', 'true'];
  expect(await client.ok(run, { env })).toMatch(/job-[0-9a-f-]{36}/);
  expect(await client.ok(['ps', '--all', '--owner', 'alice.sa.robot'], { env })).toContain('ubuntu');
});
