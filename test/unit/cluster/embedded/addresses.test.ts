import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressesOf,
  INSTANCE_NUMBERS,
  MOST_NODES,
  overlaps,
} from '../../../../cluster/src/embedded/host/addresses.ts';
import { aliasOf } from '../../../../cluster/src/embedded/host/host-network.ts';
import { allocateNumber, isFree, type Occupied } from '../../../../cluster/src/embedded/host/number.ts';
import { findResolvers } from '../../../../cluster/src/embedded/host/resolvers.ts';
import { temporaryFolder } from '../../../support/setup/temporary-folder.ts';

const number = fc.integer({ min: 0, max: INSTANCE_NUMBERS - 1 });
const nodes = Array.from({ length: MOST_NODES }, (_, at) => at + 1);
/** Of all nodes that an instance may have. */
const networksOf = (each: number) => [
  addressesOf(each).serviceCidr,
  ...nodes.flatMap((index) => {
    const { linkCidr, podCidr } = addressesOf(each, index);
    return [linkCidr, podCidr];
  }),
];

describe('addresses', () => {
  test('no network of one instance shares an address with any of another, nor with its own others', () => {
    fc.assert(
      fc.property(number, number, (left, right) => {
        for (const [i, one] of networksOf(left).entries()) {
          for (const [j, other] of networksOf(right).entries()) {
            if (overlaps(one, other) !== (left === right && i === j)) return false;
          }
        }
        return true;
      }),
    );
  });

  test('the first node has the addresses that an instance of one node always had', () => {
    expect(addressesOf(7)).toMatchObject({
      link: 'delos-7',
      nodeName: 'node-1',
      linkCidr: '10.201.7.0/30',
      nodeIp: '10.201.7.2',
      podCidr: '10.202.7.0/24',
      podGateway: '10.202.7.1',
    });
    expect(addressesOf(7, 3)).toMatchObject({ link: 'delos-7-3', nodeIp: '10.201.7.10', podCidr: '10.205.7.0/24' });
  });

  test('an interface has a name that the kernel takes', () => {
    for (const index of nodes) expect(addressesOf(99, index).link.length).toBeLessThan(16);
  });

  test('a number out of range is refused', () => {
    for (const wrong of [-1, 100, 1.5, Number.NaN]) expect(() => addressesOf(wrong)).toThrow(RangeError);
    for (const wrong of [0, 17, 1.5, Number.NaN]) expect(() => addressesOf(0, wrong)).toThrow(RangeError);
  });

  test.each([
    ['10.0.0.0/8', '10.201.3.0/30', true],
    ['10.201.3.0/30', '10.201.3.2', true],
    ['10.201.3.0/30', '10.201.3.4', false],
    ['10.202.1.0/24', '10.202.0.0/24', false],
    ['0.0.0.0/0', '192.0.2.1', true],
    ['200.0.0.0/6', '203.255.0.1', true],
  ])('%s and %s overlap: %s', (left, right, expected) => {
    expect(overlaps(left, right)).toBe(expected);
    expect(overlaps(right, left)).toBe(expected);
  });
});

describe('the number of an instance', () => {
  const state = '/state/mine';
  const nothing: Occupied = { links: [], routes: [], kept: new Set() };
  const link = (alias: string | undefined) => ({ name: 'delos-4', mtu: 1500, alias, addresses: [] });

  test.each<[string, Partial<Occupied>, boolean]>([
    ['on an empty machine', {}, true],
    ['kept by an instance that is down', { kept: new Set([4]) }, false],
    ['with the interface of this instance', { links: [link(aliasOf(state))] }, true],
    ['with the interface of another instance', { links: [link('delos /state/other')] }, false],
    ['with an interface of unknown origin', { links: [link(undefined)] }, false],
    ['with its own route', { routes: [{ network: '10.201.4.0/30', dev: 'delos-4' }] }, true],
    ['with a route of something else over its Pods', { routes: [{ network: '10.202.0.0/16', dev: 'eth1' }] }, false],
    ['beside a wide route that yields to narrow ones', { routes: [{ network: '10.0.0.0/8', dev: 'tun0' }] }, true],
    ['beside a route elsewhere', { routes: [{ network: '10.202.5.0/24', dev: 'eth1' }] }, true],
  ])('%s', (_case, occupied, free) => {
    expect(isFree(4, { ...nothing, ...occupied }, state)).toBe(free);
  });

  test.each<[string, Occupied['routes'][number], number, boolean]>([
    ['one node does not use', { network: '10.205.4.0/24', dev: 'eth1' }, 1, true],
    ['the third node would use', { network: '10.205.4.0/24', dev: 'eth1' }, 3, false],
    ['the third node uses', { network: '10.205.4.0/24', dev: 'delos-4-3' }, 3, true],
  ])('with a route over addresses that %s', (_case, route, count, free) => {
    expect(isFree(4, { ...nothing, routes: [route] }, state, count)).toBe(free);
  });

  test('many that ask at once each get their own, and the same one again', async () => {
    const home = temporaryFolder('numbers');
    const states = Array.from({ length: 12 }, (_, index) => join(home, `instance-${index}`));
    const numbers = await Promise.all(states.map((each) => allocateNumber(each)));
    expect(new Set(numbers).size).toBe(states.length);
    expect(await Promise.all(states.map((each) => allocateNumber(each)))).toEqual(numbers);
  });
});

describe('resolvers of the node', () => {
  const files =
    (own: string, behind = '') =>
    (path: string) =>
      path === '/etc/resolv.conf' ? own : behind;
  test.each([
    [
      'servers elsewhere are asked directly',
      files('nameserver 192.0.2.53\nnameserver 9.9.9.9\n'),
      ['192.0.2.53', '9.9.9.9'],
      undefined,
    ],
    [
      'of a loopback stub, those behind it',
      files('nameserver 127.0.0.53\n', 'nameserver 192.0.2.1\n'),
      ['192.0.2.1'],
      undefined,
    ],
    ['any other loopback resolver, through a relay', files('nameserver 127.0.0.1\n'), ['10.201.0.1'], '127.0.0.1'],
    [
      'loopback ones are left out beside real ones',
      files('nameserver 127.0.0.1\nnameserver 192.0.2.9\n'),
      ['192.0.2.9'],
      undefined,
    ],
    ['none where there is none', files('search example.org\n'), [], undefined],
    ['comments and IPv6 are passed over', files('# nameserver 1.1.1.1\nnameserver fd00::1\n'), [], undefined],
  ])('%s', (_case, read, node, relayTo) => {
    expect(findResolvers('10.201.0.1', read)).toEqual({ node, relayTo });
  });
});
