import { expect, test } from 'vitest';
import { type Assignment, addressPods, releaseKey } from '../../../../cluster/src/netpol/addresses.ts';
import type { PodFacts } from '../../../../cluster/src/netpol/facts.ts';
import { assignment, pod } from './pods.ts';

const cases: readonly {
  readonly rule: string;
  readonly pods: readonly PodFacts[];
  readonly assignments?: readonly Assignment[];
  readonly released?: readonly string[];
  readonly owners: Readonly<Record<string, string>>;
}[] = [
  { rule: 'a status address is believed', pods: [pod('a', { ip: '10.0.0.2' })], owners: { '10.0.0.2': 'a' } },
  { rule: 'a Pod without address is left out', pods: [pod('a')], owners: {} },
  { rule: 'a hostNetwork Pod is the node', pods: [pod('a', { ip: '10.0.0.2', hostNetwork: true })], owners: {} },
  { rule: 'a finished Pod has no address', pods: [pod('a', { ip: '10.0.0.2', finished: true })], owners: {} },
  {
    rule: 'a finished Pod has none even while its sandbox is there',
    pods: [pod('a', { finished: true })],
    assignments: [assignment('a', '10.0.0.2')],
    owners: {},
  },
  {
    rule: 'the gate knows before the status',
    pods: [pod('a')],
    assignments: [assignment('a', '10.0.0.2')],
    owners: { '10.0.0.2': 'a' },
  },
  {
    rule: 'an address that the gate gave to another is no longer the first one’s',
    pods: [pod('a', { ip: '10.0.0.2', created: '2027-01-01T00:00:00Z' }), pod('b')],
    assignments: [assignment('b', '10.0.0.2')],
    owners: { '10.0.0.2': 'b' },
  },
  {
    rule: 'a new sandbox of one Pod replaces its old one',
    pods: [pod('a', { ip: '10.0.0.2' })],
    assignments: [assignment('a', '10.0.0.3', 2), assignment('a', '10.0.0.2', 1)],
    owners: { '10.0.0.3': 'a' },
  },
  {
    rule: 'of two sandboxes with one address the later has it',
    pods: [pod('a'), pod('b')],
    assignments: [assignment('b', '10.0.0.2', 2), assignment('a', '10.0.0.2', 1)],
    owners: { '10.0.0.2': 'b' },
  },
  {
    rule: 'an address that the gate took back is not believed of that Pod again',
    pods: [pod('a', { ip: '10.0.0.2' })],
    released: [releaseKey('a', '10.0.0.2')],
    owners: {},
  },
  {
    rule: 'of two statuses the younger Pod has the address',
    pods: [pod('b', { ip: '10.0.0.2', created: '2026-01-02T00:00:00Z' }), pod('a', { ip: '10.0.0.2' })],
    owners: { '10.0.0.2': 'b' },
  },
  {
    rule: 'an assignment of a Pod that the API does not know opens nothing',
    pods: [],
    assignments: [assignment('a', '10.0.0.2')],
    owners: {},
  },
];

test.each(cases)('$rule', ({ pods, assignments = [], released = [], owners }) => {
  const found = addressPods(pods, assignments, new Set(released));
  expect(Object.fromEntries(found.map(({ ip, name }) => [ip, name]))).toEqual(owners);
});
