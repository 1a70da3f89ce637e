import { parseConfig } from '@delos/constructs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { login } from '../../support/identity/login.ts';
import { PASSWORDS, platformOf, rolesOf } from '../../support/identity/platform.ts';
import { PEOPLE, type Samba, startSamba } from '../../support/identity/samba.ts';
import { startKeycloak, type TestKeycloak } from '../../support/service/keycloak.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';

/*
 * A domain of Active Directory, by Samba's controller, from delos.yaml alone: Keycloak, the keeper of the realm and the control API's
 * check of tokens are those that run.
 */

let keycloak: TestKeycloak;
let postgres: TestPostgres;
let samba: Samba;
let database: Database & { readonly name: string };
const { deployed, realmUrl, tokenOf, answering } = platformOf(() => ({ keycloak, database }));
let platform: Awaited<ReturnType<typeof deployed>>;
let silence: () => void;

const passwordOf = (user: string): string => `Passw0rd-of-${user}`;
/** In this order: who is in no group, who is in `ml` itself, one and two groups further down, who is in `ops`, who has a name of the platform. */
const USERS = ['nils', 'Lena', 'mats', 'iris', 'otto', 'ruth', 'keycloak'];

const yaml = (url: string): string => `
users: [{name: ruth, email: ruth@example.com}]
organizations:
  - name: lab
    projects: [{name: one}, {name: two}]
identity:
  activeDirectory:
    - name: corp
      url: ${url}
      bindDn: "CN=keycloak,${PEOPLE}"
      bindPassword: {file: /never/read}
      users: {dn: "${PEOPLE}"}
      groupsAt: {dn: "${PEOPLE}"}
      groups:
        - {group: ml, organization: lab, project: one}
        - {group: "CN=ops,${PEOPLE}", organization: lab, role: manager}
`;

beforeAll(async () => {
  samba = await startSamba();
  await samba.tool(
    ...USERS.map((user) => `user create ${user} ${passwordOf(user)} --mail-address=${user}@corp.example.com`),
    ...['ml', 'ml-team', 'interns', 'ops', 'chess'].map((group) => `group add ${group}`),
    'group addmembers ml Lena,ml-team',
    'group addmembers ml-team mats,interns',
    'group addmembers interns iris',
    'group addmembers ops otto',
    'group addmembers chess nils,Lena',
    'domain passwordsettings set --account-lockout-threshold=3',
  );
  [keycloak, postgres] = await Promise.all([startKeycloak(samba.authority), startPostgres()]);
  database = await postgres.connect();
  await database.notifications.start();
  platform = await deployed(yaml(samba.url), { corp: passwordOf('keycloak') });
  silence = answering(platform.keeper);
});
afterAll(async () => {
  silence?.();
  await database?.close();
  await Promise.all([keycloak?.stop(), postgres?.stop(), samba?.stop()]);
});

const sweepTwice = async (): Promise<void> => {
  await platform.keeper.sweep();
  await platform.keeper.sweep();
};
const codeOf = async (user: string, password = passwordOf(user)): Promise<string> =>
  (await login(realmUrl(), user, password)).code;

describe('a domain of delos.yaml alone', () => {
  test('is in the realm; a second sweep finds nothing to do', async () => {
    const again = await platform.keeper.sweep();
    expect(again?.drift).toEqual([]);
    expect(again?.providers).toEqual(new Map([['corp', { away: false }]]));
  });

  test.each(['Lena', 'lena', 'LENA'])('its user logs in as %s, and has what the group gives', async (typed) => {
    const caller = await platform.authenticate(await tokenOf(typed, passwordOf('Lena')));
    expect(caller).toMatchObject({ user: 'lena', admin: false });
    expect(rolesOf(caller)).toEqual({ 'lab/one': 'writer' });
  });

  test('a group that is named by its DN counts', async () => {
    const caller = await platform.authenticate(await tokenOf('otto', passwordOf('otto')));
    expect(rolesOf(caller)).toEqual({ 'lab/one': 'manager', 'lab/two': 'manager' });
  });

  test.each(['mats', 'iris'])('%s, who is in a group of the group, has what it gives, and keeps it', async (user) => {
    const token = await tokenOf(user, passwordOf(user));
    expect(rolesOf(await platform.authenticate(token))).toEqual({ 'lab/one': 'writer' });
    await sweepTwice();
    expect(rolesOf(await platform.authenticate(token))).toEqual({ 'lab/one': 'writer' });
  });

  test('who leaves a group of the group loses it with the second sweep, and who joins one has it', async () => {
    const token = await tokenOf('iris', passwordOf('iris'));
    await samba.tool('group removemembers interns iris');
    await sweepTwice();
    expect(rolesOf(await platform.authenticate(token))).toEqual({});
    await samba.tool('group addmembers interns iris');
    const again = await platform.authenticate(await tokenOf('iris', passwordOf('iris')));
    expect(rolesOf(again)).toEqual({ 'lab/one': 'writer' });
  });

  test('whoever is in no mapped group is refused, and a name of delos.yaml is not taken over', async () => {
    await expect(platform.authenticate(await tokenOf('nils', passwordOf('nils')))).rejects.toMatchObject({
      message: 'the account of "nils" is not one of this platform',
    });
    expect(await codeOf('ruth')).toBe('');
    expect((await platform.authenticate(await tokenOf('ruth', PASSWORDS.ruth))).user).toBe('ruth');
  });
});

describe('an account of the domain', () => {
  test('that is disabled is let in nowhere, and has lost its rights with the second sweep, until it is enabled', async () => {
    const token = await tokenOf('Lena', passwordOf('Lena'));
    await samba.tool('user disable Lena');
    expect(await codeOf('Lena')).toBe('');
    await sweepTwice();
    expect(rolesOf(await platform.authenticate(token))).toEqual({});
    await samba.tool('user enable Lena');
    await platform.keeper.sweep();
    expect(rolesOf(await platform.authenticate(token))).toEqual({ 'lab/one': 'writer' });
    expect(await codeOf('Lena')).not.toBe('');
  });

  test('that the domain has locked after wrong passwords is let in nowhere, until it is unlocked', async () => {
    for (let time = 0; time < 3; time++) expect(await codeOf('otto', `not-his-${time}`)).toBe('');
    expect(await codeOf('otto')).toBe('');
    await samba.tool('user unlock otto');
    expect(await codeOf('otto')).not.toBe('');
  });

  test('that has expired is let in nowhere', async () => {
    await samba.tool('user setexpiry mats --days=-1');
    expect(await codeOf('mats')).toBe('');
    await samba.tool('user setexpiry mats --noexpiry');
    expect(await codeOf('mats')).not.toBe('');
  });

  test('whose password has to be changed at the next login is let in with it: Keycloak sees that it is the right one', async () => {
    await samba.tool(`user setpassword mats --newpassword=${passwordOf('mats')} --must-change-at-next-login`);
    expect(await codeOf('mats')).not.toBe('');
    expect(await codeOf('mats', 'not-his')).toBe('');
    await samba.tool(`user setpassword mats --newpassword=${passwordOf('mats')}`);
  });

  test('that was removed from its group loses its rights with the second sweep, and comes back with it', async () => {
    const token = await tokenOf('otto', passwordOf('otto'));
    await samba.tool('group removemembers ops otto', 'group addmembers ml otto');
    await sweepTwice();
    expect(rolesOf(await platform.authenticate(token))).toEqual({ 'lab/one': 'writer' });
    await samba.tool('group removemembers ml otto', 'group addmembers ops otto');
    await sweepTwice();
    expect(rolesOf(await platform.authenticate(token))).toEqual({ 'lab/one': 'manager', 'lab/two': 'manager' });
  });

  test('that was deleted is nobody any more, and one of the same name is another person', async () => {
    const token = await tokenOf('otto', passwordOf('otto'));
    const before = await platform.authenticate(token);
    await samba.tool('user delete otto');
    await sweepTwice();
    await expect(platform.authenticate(token)).rejects.toMatchObject({ code: 'ERR_UNAUTHENTICATED' });
    await samba.tool(`user create otto ${passwordOf('otto')}`, 'group addmembers ops otto');
    const again = await platform.authenticate(await tokenOf('otto', passwordOf('otto')));
    expect(again.user).toBe('otto');
    expect(again.id).not.toBe(before.id);
  });
});

test('what this file is about is what delos.yaml takes', () => {
  expect(parseConfig(yaml('ldaps://dc1.corp.example.com'), 'f').identity.activeDirectory[0]).toMatchObject({
    users: { name: 'sAMAccountName', id: 'objectGUID' },
  });
});
