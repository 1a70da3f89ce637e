import { describe, expect, test } from 'vitest';
import { neededBytes, planText, planUpgrade, type UpgradeFacts } from '../../../../cli/src/commands/upgrade/plan.ts';

const MIB = 2 ** 20;
const FACTS: UpgradeFacts = {
  instance: 'lab',
  from: '0.1.0',
  to: '0.2.0',
  upgradesFrom: ['0.1.0'],
  images: {
    former: { postgres: 'postgres:17.1', agent: 'runtime:1', gone: 'gone:1' },
    next: { postgres: 'postgres:17.1', agent: 'runtime:2', redis: 'redis:7' },
  },
  migrations: ['0002_more.sql'],
  postgres: { data: '17', image: '17' },
  external: [],
  members: [],
  volumes: [
    { service: 'postgres', bytes: 100 * MIB },
    { service: 'devpi', bytes: 20 * MIB },
  ],
  free: 10_000 * MIB,
  ill: [],
  offline: true,
};

test('a plan names every service, each migration and each copy', () => {
  const plan = planUpgrade(FACTS);
  expect(plan.services).toEqual([
    { name: 'agent', from: 'runtime:1', to: 'runtime:2' },
    { name: 'gone', from: 'gone:1', to: null },
    { name: 'postgres', from: 'postgres:17.1', to: 'postgres:17.1' },
    { name: 'redis', from: null, to: 'redis:7' },
  ]);
  expect(plan.refusals).toEqual([]);
  const text = planText(plan);
  for (const part of [
    'from 0.1.0 to 0.2.0',
    'agent: runtime:1 → runtime:2',
    'gone: goes',
    'redis: new, redis:7',
    'postgres: stays postgres:17.1',
    'Migrations of the database: 0002_more.sql',
    'postgres 100.0 MiB, devpi 20.0 MiB',
  ]) {
    expect(text).toContain(part);
  }
});

describe('an upgrade is refused', () => {
  const least = neededBytes(FACTS);
  test.each<[string, Partial<UpgradeFacts>, readonly RegExp[]]>([
    ['to an earlier version', { from: '0.3.0' }, [/0\.3\.0 is installed, which is later than 0\.2\.0/]],
    ['over a version in between', { from: '0.0.9' }, [/0\.2\.0 does not take over 0\.0\.9, only 0\.1\.0/]],
    [
      'to another major version of PostgreSQL',
      { postgres: { data: '16', image: '17' } },
      [/PostgreSQL 16.*PostgreSQL 17/],
    ],
    ['where the database is the site’s own', { external: ['postgres'] }, [/postgres is the site’s own/]],
    ['where a service has several members', { members: ['postgres'] }, [/postgres has several members/]],
    [
      'while a service is ill',
      { ill: [{ name: 'agent', message: '0/1 ready' }] },
      [/agent is not as it should be: 0\/1 ready/],
    ],
    ['where the restore point has no room', { free: least - 1 }, [/may need 692\.0 MiB, and 692\.0 MiB are free/]],
    ['without consent to stop', { offline: false }, [/the platform has to stop/]],
    [
      'for all reasons at once, and asks for consent when nothing else is in the way',
      { offline: false, free: 0, external: ['postgres'], ill: [{ name: 'agent', message: 'x' }] },
      [/site’s own/, /agent/, /are free/],
    ],
  ])('%s', (_, facts, expected) => {
    const { refusals } = planUpgrade({ ...FACTS, ...facts });
    expect(refusals.map(({ what }) => what)).toEqual(expected.map((what) => expect.stringMatching(what)));
    for (const { todo } of refusals) expect(todo).not.toBe('');
  });

  test('no further where there is just enough room', () => {
    expect(planUpgrade({ ...FACTS, free: least }).refusals).toEqual([]);
  });
});
