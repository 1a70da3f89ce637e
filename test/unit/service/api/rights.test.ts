import { DelosError } from '@delos/core';
import { expect, test } from 'vitest';
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
