import { parseConfig } from '@delos/constructs';
import { madeThings, yamlText } from '@delos/core';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { withMade } from '../../../cli/src/commands/export-config/merge.ts';

const FILE = `
domain: example.com
users: [{ name: alice }, { name: bob }]
presets: [{ name: small, cpu: 1, memory: 1Gi }]
organizations:
  - name: acme
    quota: { runningJobs: 3 }
    projects: [{ name: one, members: [{ user: alice }] }]
`;
const MADE = madeThings.parse({
  organizations: [
    { name: 'lab', quota: { runningJobs: 5, memory: 2 ** 30 } },
    { name: 'empty', quota: {} },
  ],
  projects: [
    { org: 'acme', name: 'two', quota: {} },
    { org: 'lab', name: 'play', quota: {} },
  ],
  orgMembers: [{ org: 'lab', user: 'bob', role: 'admin' }],
  quotas: [
    { org: 'acme', user: 'alice', quota: { runningJobs: 2 } },
    { org: 'lab', user: 'bob', quota: { runningJobs: 4 } },
  ],
  members: [
    { org: 'acme', project: 'one', user: 'bob', role: 'reader' },
    { org: 'lab', project: 'play', user: 'alice', role: 'manager' },
    { org: 'lab', project: 'play', user: 'carol', role: 'writer' },
  ],
  presets: [{ name: 'tiny', cpu: 0.5, memory: 2 ** 28 }],
});
const NOTHING = { organizations: [], projects: [], orgMembers: [], members: [], quotas: [], presets: [] };
const exported = (text: string, made = MADE) =>
  withMade((parse(text) ?? {}) as Record<string, unknown>, parseConfig(text, 'delos.yaml'), made);

test('what was made stands beside what the file says, and the whole is a file that is taken', () => {
  const { config, leftOut } = exported(FILE);
  const again = parseConfig(yamlText(config), 'delos.yaml');
  expect(again.domain).toBe('example.com');
  expect(again.presets.map(({ name }) => name)).toEqual(['small', 'tiny']);
  expect(
    again.organizations.map(({ name, quota, members, projects }) => [
      name,
      quota,
      members,
      projects.map((project) => [project.name, ...project.members.map(({ user, role }) => `${user} ${role}`)]),
    ]),
  ).toEqual([
    [
      'acme',
      { runningJobs: 3 },
      [{ user: 'alice', role: 'user', quota: { runningJobs: 2 } }],
      [['one', 'alice writer', 'bob reader'], ['two']],
    ],
    [
      'lab',
      { runningJobs: 5, memory: 2 ** 30 },
      [{ user: 'bob', role: 'admin', quota: { runningJobs: 4 } }],
      [['play', 'alice manager']],
    ],
  ]);
  expect(leftOut).toEqual([
    'carol in lab/play: a person of an identity provider, whose groups say it',
    'organization empty: it has no project yet',
  ]);
});

test('a platform without a file has its defaults in what is written', () => {
  const { config } = exported('', { ...MADE, orgMembers: [], quotas: [], members: [] });
  const again = parseConfig(yamlText(config), 'delos.yaml');
  expect(again.organizations.map(({ name }) => name)).toEqual(['default', 'lab']);
  expect(again.presets.map(({ name }) => name)).toEqual([
    ...parseConfig('', 'delos.yaml').presets.map(({ name }) => name),
    'tiny',
  ]);
});

test('where nothing was made the file stays as it is', () => {
  expect(exported(FILE, NOTHING)).toEqual({ config: parse(FILE), leftOut: [] });
});

test('a member of an organization has to be a user, once', () => {
  const of = (members: string) => () =>
    parseConfig(`organizations: [{ name: a, members: [${members}], projects: [{ name: b }] }]`, 'delos.yaml');
  expect(of('{ user: nobody }')).toThrow(/nobody/);
  expect(of('{ user: admin }, { user: admin }')).toThrow(/admin/);
  expect(of('{ user: admin, role: admin }')().organizations[0]?.members).toEqual([{ user: 'admin', role: 'admin' }]);
});
