import { ACTIONS, type Action, DelosError, type OrgRole, type ProjectRole, SHARED_KINDS } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { type Administers, administer } from '../../../../runtime/service/src/api/authorization/administer.ts';
import { isGranted, sharedUri, urisOf } from '../../../../runtime/service/src/api/authorization/grants.ts';
import { authorize } from '../../../../runtime/service/src/api/rights.ts';

test.each([
  ['a member', false, 'writer', 'write', 'given'],
  ['a reader', false, 'reader', 'read', 'given'],
  ['a reader who wants to change it', false, 'reader', 'write', 'ERR_FORBIDDEN'],
  ['a stranger', false, undefined, 'read', 'ERR_NOT_FOUND'],
  ['the administrator', true, undefined, 'write', 'given'],
] as const)('%s of its project is answered as the one rule says', (_who, admin, role, right, expected) => {
  const roles = new Map(role === undefined ? [] : [['acme/one', role] as const]);
  const caller = { id: 1, user: 'alice', admin, roles };
  const answer = (): string => {
    try {
      authorize(caller, { org: 'acme', project: 'one' }, right, () => new DelosError('ERR_NOT_FOUND', 'none'));
      return 'given';
    } catch (error) {
      return error instanceof DelosError ? error.code : String(error);
    }
  };
  expect(answer()).toBe(expected);
});

describe('a grant', () => {
  const given = (uri: string, action: Action = 'read') => ({ grants: [{ uri, action }] });
  const JOB = 'job://default/acme/one/job-1';

  test.each([
    ['for the thing itself', JOB, true],
    ['for all below a project', 'job://default/acme/one', true],
    ['for an organization', 'job://default/acme', true],
    ['for a project whose name begins so', 'job://default/acme/on', false],
    ['for a thing whose name begins so', 'job://default/acme/one/job', false],
    ['for what is below the thing', `${JOB}/more`, false],
    ['of another kind', 'disk://default/acme/one', false],
    ['of another cluster', 'job://other/acme/one', false],
  ])('%s: %s', (_what, uri, expected) => {
    expect(isGranted(given(uri), [JOB], 'read')).toBe(expected);
  });

  test.each(ACTIONS.flatMap((has) => ACTIONS.map((asked) => [has, asked] as const)))(
    'to %s, asked for %s',
    (has, asked) => {
      expect(isGranted(given(JOB, has), [JOB], asked)).toBe(ACTIONS.indexOf(has) >= ACTIONS.indexOf(asked));
    },
  );

  test('of somebody who has none is none, and by the name as by the id', () => {
    expect(isGranted({}, [JOB], 'read')).toBe(false);
    const row = { org: 'acme', project: 'one', id: 'job-1', name: 'train' };
    expect(isGranted(given('job://default/acme/one/train'), urisOf('job', 'default', row), 'read')).toBe(true);
  });

  test.each([
    ['storage://c/acme/one/', 'storage://c/acme/one'],
    ['image://c/acme/one/a/b', 'image://c/acme/one/a/b'],
    ['job://c/acme', 'job://c/acme'],
  ])('is kept without a slash at its end: %s', (text, kept) => {
    expect(sharedUri(text, SHARED_KINDS, ['c'])).toBe(kept);
  });

  test.each([
    'job://c',
    'job://d/acme/one',
    'http://c/acme/one',
    'job:one',
    'job://c/acme/../other',
    'job://c/acme/one?x=1',
  ])('for %s is refused', (text) => {
    expect(() => sharedUri(text, SHARED_KINDS, ['c'])).toThrow(DelosError);
  });
});

describe('an organization is administered', () => {
  const who = (
    orgs: readonly (readonly [string, OrgRole])[],
    roles: readonly (readonly [string, ProjectRole])[] = [],
  ) => ({
    id: 1,
    user: 'alice',
    admin: false,
    orgs: new Map(orgs),
    roles: new Map(roles),
  });
  const needs: readonly Administers[] = ['manage', 'people', 'organization', 'platform'];
  test.each<[string, Parameters<typeof who>, readonly Administers[]]>([
    ['its admin', [[['acme', 'admin']]], ['manage', 'people', 'organization']],
    ['its manager', [[['acme', 'manager']]], ['manage', 'people']],
    ['its user', [[['acme', 'user']]], []],
    ['a manager of the project', [[], [['acme/one', 'manager']]], ['manage']],
    ['a writer of the project', [[], [['acme/one', 'writer']]], []],
    ['the admin of another', [[['other', 'admin']], [['other/one', 'admin']]], []],
  ])('by %s as the table says', (_who, given, may) => {
    const allowed = needs.filter((each) => {
      try {
        administer(who(...given), { org: 'acme', project: 'one' }, each);
        return true;
      } catch (error) {
        if (error instanceof DelosError) return false;
        throw error;
      }
    });
    expect(allowed).toEqual(may);
  });
});
