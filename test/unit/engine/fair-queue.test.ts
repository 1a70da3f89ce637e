import { FairQueue } from '@delos/engine';
import { expect, test } from 'vitest';
import { seeded } from '../../support/random.ts';

const drained = (queue: FairQueue<string>): readonly string[] => {
  const items: string[] = [];
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) items.push(item);
  return items;
};

test('groups have their turns one after the other, and items of one in the order in which they came', () => {
  const queue = new FairQueue<string>();
  for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2', 'a1']) queue.push(item.slice(0, 1), item);
  expect([queue.size, queue.has('b2'), queue.has('b3')]).toEqual([6, true, false]);
  expect(drained(queue)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
  expect([queue.size, queue.shift()]).toEqual([0, undefined]);
  queue.push('a', 'a1');
  expect(queue.shift()).toBe('a1');
});

test('whoever comes to an empty group waits for one turn of each other group at most', () => {
  const random = seeded(7);
  const queue = new FairQueue<string>();
  for (let nth = 0; nth < 5000; nth += 1) queue.push(`g${Math.floor(random() * 9)}`, `x${nth}`);
  for (let nth = 0; nth < 100; nth += 1) {
    for (let taken = Math.floor(random() * 20); taken > 0; taken -= 1) queue.shift();
    queue.push('late', `late${nth}`);
    const before = Array.from({ length: 10 }, () => queue.shift());
    expect(before).toContain(`late${nth}`);
  }
});
