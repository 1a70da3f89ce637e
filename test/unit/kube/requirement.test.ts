import { meets, type Requirement } from '@delos/kube';
import { expect, test } from 'vitest';

const asks = (operator: Requirement['operator'], ...values: string[]): Requirement => ({ operator, values });

test.each([
  [asks('In', 'a', 'b'), ['a', 'b'], ['c', undefined]],
  [asks('NotIn', 'a', 'b'), ['c', undefined], ['a', 'b']],
  [asks('Exists'), ['a', ''], [undefined]],
  [asks('DoesNotExist'), [undefined], ['a', '']],
  [asks('Gt', '4'), ['5', '10'], ['4', '3', 'x', undefined]],
  [asks('Lt', '4'), ['3', '-1'], ['4', '10', 'x', undefined]],
])('%j is met by %j and not by %j', (requirement, met, unmet) => {
  expect(met.filter((value) => !meets(requirement, value))).toEqual([]);
  expect(unmet.filter((value) => meets(requirement, value))).toEqual([]);
});
