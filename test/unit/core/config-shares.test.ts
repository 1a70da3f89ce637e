import { parseConfig } from '@delos/constructs';
import { DelosError } from '@delos/core';
import { expect, test } from 'vitest';

interface Case {
  readonly name: string;
  readonly text: string;
  readonly code: string;
  /** Line, column, field. */
  readonly at: readonly [number, number, string];
  readonly says: RegExp;
}

const CASES: readonly Case[] = [
  {
    name: 'a weight of nothing',
    text: 'organizations: [{name: o, weight: 0, projects: [{name: p}]}]\n',
    code: 'ERR_CONFIG_VALUE',
    at: [1, 35, 'organizations[0].weight'],
    says: /expected at least 0\.000001, found 0/,
  },
  {
    name: 'a guarantee above its own quota',
    text: 'organizations: [{name: o, projects: [{name: p, quota: {gpu: 2}, guarantee: {gpu: 3}}]}]\n',
    code: 'ERR_CONFIG_VALUE',
    at: [1, 82, 'organizations[0].projects[0].guarantee.gpu'],
    says: /project o\/p is guaranteed 3 GPUs, and its quota is 2 GPUs/,
  },
  {
    name: 'a guarantee above its own limit',
    text: 'organizations: [{name: o, limit: {memory: 1Gi}, guarantee: {memory: 2Gi}, projects: [{name: p}]}]\n',
    code: 'ERR_CONFIG_VALUE',
    at: [1, 69, 'organizations[0].guarantee.memory'],
    says: /organization o is guaranteed 2Gi of memory, and its limit is 1Gi of memory/,
  },
  {
    name: 'projects that are guaranteed more than their organization',
    text: 'organizations:\n  - name: o\n    guarantee: {cpu: 3}\n    projects:\n      - {name: p, guarantee: {cpu: 2}}\n      - {name: q, guarantee: {cpu: 1.5}}\n',
    code: 'ERR_CONFIG_VALUE',
    at: [6, 36, 'organizations[0].projects[1].guarantee.cpu'],
    says: /its projects are guaranteed 3.5 cores up to project o\/q; organization o itself: 3 cores/,
  },
  {
    name: 'members that are guaranteed more than their project may have',
    text: 'users: [{name: bob}]\norganizations:\n  - name: o\n    projects:\n      - name: p\n        quota: {runningJobs: 1}\n        members:\n          - {user: bob, guarantee: {runningJobs: 2}}\n',
    code: 'ERR_CONFIG_VALUE',
    at: [8, 50, 'organizations[0].projects[0].members[0].guarantee.runningJobs'],
    says: /its members are guaranteed 2 running jobs up to bob in project o\/p; the quota of project o\/p: 1 running job$/,
  },
  {
    name: 'more guaranteed than all nodes have',
    text: 'nodePools: [{name: p, cpu: 4, maxSize: 2}]\npresets: [{name: a, cpu: 1, memory: 1Gi}]\norganizations:\n  - {name: o, guarantee: {cpu: 5}, projects: [{name: p}]}\n  - {name: q, projects: [{name: p, guarantee: {cpu: 4}}]}\n',
    code: 'ERR_CONFIG_VALUE',
    at: [5, 5, 'organizations[1].guarantee'],
    says: /organizations are guaranteed 9 cores up to organization q; all node pools together: 8 cores/,
  },
];

test.each(CASES)('refused at its place: $name', ({ text, code, at: [line, column, field], says }) => {
  let error: unknown;
  try {
    parseConfig(text, 'delos.yaml');
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(DelosError);
  expect(error).toMatchObject({ code, where: { file: 'delos.yaml', line, column, field } });
  expect((error as DelosError).message).toMatch(says);
  expect((error as DelosError).render().split('\n').length).toBeLessThanOrEqual(5);
});

test.each([
  ['as much as the quota', 'quota: {cpu: 4}, guarantee: {cpu: 4}, projects: [{name: p, guarantee: {cpu: 4}}]'],
  [
    'tenths that add up',
    'guarantee: {cpu: 0.3}, projects: [{name: p, guarantee: {cpu: 0.1}}, {name: q, guarantee: {cpu: 0.2}}]',
  ],
  ['of another kind than its organization', 'guarantee: {cpu: 1}, projects: [{name: p, guarantee: {gpu: 8}}]'],
  ['what no organization stands for', 'projects: [{name: p, guarantee: {cpu: 100}}]'],
])('a guarantee is accepted: %s', (_, org) => {
  const { organizations } = parseConfig(`organizations: [{name: o, ${org}}]\n`, 'f');
  expect(organizations[0]).toMatchObject({ weight: 1, limit: {} });
});
