import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { detach, guard } from '../../../runtime/service/src/edge/guard.ts';
import { LastResort, MOST_ERRORS, WINDOW_MS } from '../../../runtime/service/src/edge/last-resort.ts';

const BROKEN = new Error('broken');

test.each<[string, () => unknown]>([
  [
    'throws',
    () => {
      throw BROKEN;
    },
  ],
  ['rejects', () => Promise.reject(BROKEN)],
])('a guarded handler that %s hands its error on, with its arguments', async (_how, body) => {
  const seen: unknown[] = [];
  guard(
    (_name: string) => body(),
    (error, name) => seen.push([error, name]),
  )('x');
  await Promise.resolve();
  await Promise.resolve();
  expect(seen).toEqual([[BROKEN, 'x']]);
});

test('work that nobody waits for logs its failure', async () => {
  const seen: unknown[] = [];
  detach({ error: (facts, message) => seen.push([facts.error, message]) }, 'carrying', () => Promise.reject(BROKEN));
  await Promise.resolve();
  await Promise.resolve();
  expect(seen).toEqual([[BROKEN, 'carrying failed']]);
});

test('a service goes on after an unguarded error, and ends when they come one upon another', () => {
  const lastResort = new LastResort();
  const decisions = Array.from({ length: MOST_ERRORS + 1 }, () => lastResort.decide(0));
  expect(new Set(decisions.slice(0, -1))).toEqual(new Set(['go on']));
  expect(decisions.at(-1)).toBe('end');
});

test('unguarded errors that lie apart never end a service', () => {
  const lastResort = new LastResort();
  const step = WINDOW_MS / MOST_ERRORS + 1;
  for (let index = 0; index < 10 * MOST_ERRORS; index += 1) expect(lastResort.decide(index * step)).toBe('go on');
});

/** Where a handler of outside input begins, in source without white space. */
const EDGE = /\.on(?:ce)?\('(?:message|upgrade|notification)',(?!guard\()|setInterval\((?!guard\()/g;
const ROOT = join(import.meta.dirname, '../../../runtime/service/src');
const SERVICES = ['agent', 'api', 'collector', 'db', 'edge', 'identity', 'logs', 'scheduler', '.'];
/** One only notes the time, one hands on to guarded handlers, one has a guarded handler under a name. */
const SAFE = [
  "api/agents/routes.ts .on('message',",
  "db/notifications.ts .on('notification',",
  "api/upgrades.ts .on('upgrade',",
];

test('every handler of frames, upgrades, notifications and ticks in the services is guarded', () => {
  const bare = SERVICES.flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: room !== '.', encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => {
        const text = readFileSync(join(ROOT, room, file), 'utf8').replaceAll(/\s+/g, '');
        return [...text.matchAll(EDGE)].map(([found]) => `${room}/${file} ${found}`);
      }),
  );
  expect(bare.toSorted()).toEqual(SAFE.toSorted());
});
