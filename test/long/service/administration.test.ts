import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApoloClient, apoloClient } from '../../../peers/src/apolo.ts';
import { type ApiOnPostgres, startApiOnPostgres } from '../../support/service/control-api.ts';
import { apoloBatch, type BatchResult } from '../../support/tenancy/apolo-batch.ts';

/*
 * Every command of `apolo admin`, by the official client, as four kinds of people: the administrator of the platform, an admin of the
 * organization `lab` (bob), a manager of a project (alice) and a reader (rita); in three organizations: acme and other, which delos.yaml
 * declares, and lab, which is made here.
 */

type Person = 'admin' | 'bob' | 'alice' | 'rita';
const PEOPLE: readonly Person[] = ['admin', 'bob', 'alice', 'rita'];
const DECLARED = 'is declared in delos.yaml, and only changed there; change it there and run: delos up';

/** Whose command, the command, and what its output has, or the error. */
type Step = readonly [Person, string, string | RegExp];

/** `apolo admin add-project` of this client fails before it asks anybody: its library does it. */
const ADD = 'add-project lab play reader';

/** From its making to its end. */
const LIFE: readonly Step[] = [
  ['admin', 'add-org lab', ''],
  ['admin', 'get-orgs', 'lab'],
  ['admin', 'add-org-user lab bob admin', 'bob'],
  ['admin', 'get-org-users lab', 'bob'],
  ['bob', ADD, ''],
  ['bob', 'get-projects default --org lab', 'play'],
  ['bob', 'add-project-user default play --org lab alice manager', 'alice'],
  ['alice', 'add-project-user default play --org lab rita', 'rita'],
  ['alice', 'get-project-users default play --org lab', 'rita'],
  ['alice', 'update-project-user default play --org lab rita writer', ''],
  ['alice', 'update-project default play --org lab --default-role writer', ''],
  ['rita', 'get-project-users default play --org lab', 'alice'],
  ['bob', 'add-cluster-user default rita user --org lab', 'rita'],
  ['bob', 'update-cluster-user default rita manager --org lab', 'manager'],
  ['bob', 'get-cluster-users default --org lab --details', 'rita'],
  ['bob', 'remove-cluster-user default rita --org lab', ''],
  ['bob', 'add-org-user lab rita user', 'rita'],
  ['bob', 'remove-org-user lab rita', ''],
  ['admin', 'set-org-cluster-quota default lab --jobs 7', '7'],
  ['admin', 'get-org-cluster-quota default lab', '7'],
  ['admin', 'add-org-cluster default lab --jobs 8', ''],
  ['admin', 'update-org-cluster default lab --jobs 9', ''],
  ['admin', 'get-cluster-orgs default', '9'],
  ['bob', 'set-org-cluster-defaults default lab --default-role user', ''],
  ['bob', 'get-user-quota default alice lab', /unlimited|infinity/i],
  ['bob', 'set-user-quota default alice --jobs 3 --org lab', '3'],
  ['alice', 'get-user-quota default alice lab', '3'],
  ['bob', 'set-user-quota default alice --jobs unlimited --org lab', /unlimited|infinity/i],
  ['bob', 'add-cluster-user default rita user --org lab --jobs 4', '4'],
  ['bob', 'update-cluster-user default rita user --org lab', 'user'],
  ['bob', 'get-user-quota default rita lab', '4'],
  ['bob', 'remove-cluster-user default rita --org lab', ''],
  ['admin', 'set-user-quota default alice --jobs 5 --org acme', '5'],
  ['admin', 'set-user-quota default alice --jobs unlimited --org acme', ''],
  ['admin', 'get-clusters', 'default'],
  ['admin', 'get-admin-clusters', 'default'],
  ['alice', 'remove-project-user default play --org lab alice', ''],
  ['bob', 'remove-project default play --org lab --force', ''],
  ['admin', 'remove-org lab --force', ''],
];

const PRESET = 'tiny --credits-per-hour 0.5 -m 256M -r default';
const PRESETS: readonly Step[] = [
  ['admin', `add-resource-preset ${PRESET} -c 0.5`, ''],
  ['admin', 'get-clusters', 'default'],
  ['admin', `update-resource-preset ${PRESET} -c 0.25`, ''],
  ['admin', 'remove-resource-preset tiny', ''],
];

const FILE: readonly Step[] = [
  'remove-org acme --force',
  'set-org-cluster-quota default acme --jobs 7',
  'set-org-cluster-defaults default acme --default-role user',
  'update-project default one --org acme --default-role reader',
  'remove-project default one --org acme --force',
  'add-project-user default one --org acme rita writer',
  'update-project-user default one --org acme rita writer',
  'remove-project-user default one --org acme rita',
  'remove-org-user acme rita',
  'remove-resource-preset cpu-small',
].map((command): Step => ['admin', command, DECLARED]);

const OTHERS: readonly Step[] = [
  ['bob', 'add-org mine', /bob is no administrator of the platform/],
  [
    'bob',
    'add-project-user default one --org acme bob admin',
    /there is no project acme\/one, or it is not yours to see/,
  ],
  ['bob', 'get-org-users acme', /there is no organization acme, or it is not yours to see/],
  ['alice', 'add-project-user default one --org acme bob', /alice is no manager of project acme\/one/],
  ['alice', 'set-user-quota default alice --jobs 9 --org acme', /alice is no manager of organization acme/],
  ['rita', 'add-org-user acme rita admin', /rita is no manager of organization acme/],
  ['alice', 'remove-resource-preset cpu-small', /alice is no administrator of the platform/],
];

const LATER: readonly Step[] = [
  'set-org-defaults acme --user-default-credits 1',
  'add-user-credits acme alice --credits 1',
  'set-user-credits acme alice --credits 1',
  'add-org-cluster default other --credits 1',
  'set-org-cluster-defaults default other --jobs 1 --default-role user',
].map((command): Step => ['admin', command, 'not part of this release of Delos']);

const ELSEWHERE: readonly Step[] = [
  ['admin', 'update-cluster default', 'clusters are set in delos.yaml, or join by'],
  ['admin', 'remove-cluster default --force', 'clusters are set in delos.yaml, or join by'],
  ['admin', 'remove-org-cluster default acme --force', 'each organization is on each cluster'],
];

const DONE = [...LIFE, ...PRESETS];
const REFUSED = [...FILE, ...OTHERS, ...LATER, ...ELSEWHERE];

let served: ApiOnPostgres & { readonly stop: () => Promise<void> };
let client: ApoloClient;
const answers = new Map<Step, BatchResult>();
beforeAll(async () => {
  [served, client] = await Promise.all([startApiOnPostgres(), apoloClient()]);
  const logins = await Promise.all(
    PEOPLE.map(async (person) => ({
      person,
      words: ['config', 'login-with-token', await served.issuer.token(person), `${served.api.url}/api/v1`],
    })),
  );
  const steps = [...DONE, ...REFUSED];
  const commands = steps.map(([person, command]) => ({
    person,
    words: [...(command === ADD ? [] : ['admin']), ...command.split(' ')],
  }));
  const results = await apoloBatch(client, [...logins, ...commands]);
  for (const login of results.slice(0, logins.length)) expect(login).toMatchObject({ code: 0 });
  for (const [index, step] of steps.entries()) {
    const result = results[logins.length + index];
    if (result !== undefined) answers.set(step, result);
  }
});
afterAll(async () => {
  await client?.close();
  await served?.stop();
});

test.each(DONE.map((step) => [step[0], step[1], step] as const))('%s: apolo admin %s', (_person, _command, step) => {
  const { code, out, err } = answers.get(step) ?? { code: -1, out: '', err: 'it was not run' };
  expect(code, err).toBe(0);
  if (step[2] instanceof RegExp) expect(out).toMatch(step[2]);
  else expect(out).toContain(step[2]);
});

test.each(REFUSED.map((step) => [step[0], step[1], step] as const))(
  '%s, refused: apolo admin %s',
  (_person, _command, step) => {
    const { code, err } = answers.get(step) ?? { code: 0, err: '' };
    expect(code).not.toBe(0);
    expect(err.trim().replace(/\s+/g, ' ')).toMatch(
      step[2] instanceof RegExp ? step[2] : new RegExp(RegExp.escape(step[2])),
    );
  },
);

test('a manager of an organization that has no project yet can log in, and see to its projects', async () => {
  const { api, issuer } = served;
  await api.request('admin', 'POST', '/apis/admin/v1/orgs', { name: 'hall' });
  await api.request('admin', 'POST', '/apis/admin/v1/orgs/hall/users', { user_name: 'noel', role: 'manager' });
  const login = ['config', 'login-with-token', await issuer.token('noel'), `${api.url}/api/v1`];
  const results = await apoloBatch(
    client,
    [login, ['config', 'show'], ['admin', 'get-projects', 'default', '--org', 'hall']].map((words) => ({
      person: 'noel',
      words,
    })),
  );
  for (const { code, err } of results) expect(code, err).toBe(0);
});
