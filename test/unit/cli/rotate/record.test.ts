import { expect, test } from 'vitest';
import { beforeFirstStep, rotationFrom } from '../../../../cli/src/commands/rotate/record.ts';

const secret = (phase: 'none' | 'next' | 'former', times: number) => ({ address: 'delos/one/key', phase, times });
const rotation = rotationFrom([secret('none', 2)]);

test.each([
  ['begins', secret('none', 2), true],
  ['was killed before its first step was kept', secret('none', 2), true],
  ['was killed after its first step was kept', secret('next', 2), true],
  ['was killed at its second step', secret('former', 2), false],
  ['was killed after its last step', secret('none', 3), false],
])('a rotation that %s: whether its first step is taken, or taken again', (_, now, taken) => {
  expect(beforeFirstStep([now], rotation).length > 0).toBe(taken);
});
