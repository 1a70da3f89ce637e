import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RequestBudget } from '../../../../runtime/service/src/api/request-budget.ts';

const LIMITS = { ofUser: 10, ofAll: 25 };

test('one user’s requests leave room for those of others', () => {
  const budget = new RequestBudget(LIMITS);
  expect(budget.take('alice', 10)).toBeDefined();
  expect(budget.take('alice', 1)).toBeUndefined();
  expect(budget.take('bob', 10)).toBeDefined();
});

test('what is given back twice counts once', () => {
  const budget = new RequestBudget(LIMITS);
  const release = budget.take('alice', 6);
  budget.take('alice', 4);
  release?.();
  release?.();
  expect(budget.take('alice', 7)).toBeUndefined();
  expect(budget.take('alice', 6)).toBeDefined();
});

test('law: whatever is taken and given back, the limits hold, and in the end all of it is there', () => {
  const step = fc.record({ user: fc.constantFrom('a', 'b', 'c', 'd'), bytes: fc.nat(12), free: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const budget = new RequestBudget(LIMITS);
      const held: { user: string; bytes: number; release: () => void }[] = [];
      const sum = (user?: string): number =>
        held.filter((one) => user === undefined || one.user === user).reduce((total, { bytes }) => total + bytes, 0);
      for (const { user, bytes, free } of steps) {
        const release = budget.take(user, bytes);
        const fits = sum(user) + bytes <= LIMITS.ofUser && sum() + bytes <= LIMITS.ofAll;
        expect(release !== undefined).toBe(fits);
        if (release !== undefined) held.push({ user, bytes, release });
        if (free < held.length) held.splice(free, 1)[0]?.release();
      }
      for (const { release } of held) release();
      expect(budget.take('a', LIMITS.ofUser)).toBeDefined();
      expect(budget.take('b', LIMITS.ofUser)).toBeDefined();
    }),
  );
});

test('who waits for room comes in turn, but for those whose user has none; who leaves takes none', async () => {
  const budget = new RequestBudget(LIMITS);
  const [first, second] = [budget.take('alice', 10), budget.take('bob', 10)];
  const order: string[] = [];
  const left = new AbortController();
  const never = new AbortController().signal;
  const waits = (name: string, user: string, signal = never): Promise<(() => void) | undefined> =>
    budget.takeBefore(user, 10, signal).then((release) => {
      order.push(`${name}${release === undefined ? ' left' : ''}`);
      return release;
    });
  const leaver = waits('leaver', 'carol', left.signal);
  const again = waits('alice again', 'alice');
  const carol = waits('carol', 'carol');
  left.abort();
  expect(await leaver).toBeUndefined();
  second?.();
  const held = await carol;
  first?.();
  (await again)?.();
  held?.();
  expect(order).toEqual(['leaver left', 'carol', 'alice again']);
  expect(await budget.takeBefore('bob', 10, AbortSignal.abort())).toBeDefined();
});
