import { platformConfig, refusedRegistry, registryOf } from '@delos/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isPublicAddress } from '../../../core/src/public-address.ts';

describe('the registry of an image name is', () => {
  test.each([
    ['ubuntu', 'docker.io'],
    ['ubuntu:24.04', 'docker.io'],
    ['library/ubuntu', 'docker.io'],
    ['ghcr.io/a/b:1', 'ghcr.io'],
    ['localhost/a', 'localhost'],
    ['LOCALHOST/a', 'LOCALHOST'],
    ['Kubernetes/a', 'Kubernetes'],
    ['host:5000/a', 'host:5000'],
    ['[::1]:5000/a', '[::1]:5000'],
    ['a@sha256:00000000000000000000000000000000', 'docker.io'],
  ])('of %s %s', (image, registry) => {
    expect(registryOf(image)).toBe(registry);
  });
});

/** The platform's own, and one of the site's. */
const ALLOWED = ['registry.delos.internal', '10.0.0.5:5000', 'Harbor.Corp', '[fd00::5]:5000'];

describe('a registry that users may not make a node ask', () => {
  test.each([
    '127.0.0.1',
    '127.0.0.1:10248',
    '127.1.2.3:80',
    '0.0.0.0:10250',
    '10.201.0.1:6443',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1:5000',
    '100.64.0.1',
    '169.254.169.254',
    '169.254.169.254:80',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '2130706433',
    '2130706433:10248',
    '0x7f000001:10248',
    '0x7f.0.0.1',
    '0X7F.1',
    '0177.0.0.1',
    '0177.1:10248',
    '127.1',
    '127.0.1',
    '127.0.0.1.',
    '8.8.8.010',
    '[::1]',
    '[::1]:10248',
    '[::]:10248',
    '[0:0:0:0:0:0:0:1]:10248',
    '[::ffff:127.0.0.1]:10248',
    '[::ffff:7f00:1]:10248',
    '[::127.0.0.1]',
    '[fe80::1]',
    '[fc00::1]',
    '[fd12:3456::1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '[ff02::1]',
    'localhost',
    'localhost:10248',
    'LOCALHOST:10248',
    'localhost.',
    'localhost.:10248',
    'foo.localhost:5000',
    'localhost.localdomain',
    'postgres:5432',
    'kubernetes.default.svc',
    'kubernetes.default.svc:443',
    'kubernetes.default.svc.cluster.local',
    'kubernetes.default.svc.cluster.local.',
    'KUBERNETES.default.SVC.cluster.LOCAL:443',
    'printer.local',
    'metadata.google.internal',
    'nas.lan',
    'router.home.arpa',
    'git.corp',
    'registry.delos.internal:5000',
    '10.0.0.5',
    '10.0.0.5:5001',
    '10.0.0.6:5000',
    'harbor.corp:8443',
    '[fd00::5]:5001',
    'example.com:0',
    'example.com:65536',
    'example.com:',
    '',
    '.',
  ])('%s', (registry) => {
    expect(refusedRegistry(registry, ALLOWED)).toEqual(expect.any(String));
  });
});

describe('a registry that users may make a node ask', () => {
  test.each([
    'docker.io',
    'ghcr.io',
    'registry.example.com:5000',
    'Registry.Example.COM',
    'nosuchhost.invalid',
    '8.8.8.8:5000',
    '172.32.0.1',
    '[2606:4700::1111]:443',
    '10.com',
    'local.example.com',
    'svc.example.com',
    'mylocalhost.example',
    'registry.delos.internal',
    'registry.delos.internal:443',
    'REGISTRY.delos.internal.',
    '10.0.0.5:5000',
    'harbor.corp',
    '[fd00::5]:5000',
  ])('%s', (registry) => {
    expect(refusedRegistry(registry, ALLOWED)).toBeUndefined();
  });
});

const octet = fc.nat(255);
const anyV4 = fc.tuple(octet, octet, octet, octet);
/** The ways in which inet_aton reads an address, but for four plain decimal numbers. */
const oddSpellings = ([a, b, c, d]: readonly [number, number, number, number]): readonly string[] => {
  const value = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
  const hex = (number: number): string => `0x${number.toString(16)}`;
  const octal = (number: number): string => `0${number.toString(8)}`;
  return [
    String(value),
    hex(value),
    octal(value),
    `${a}.${b * 2 ** 16 + c * 2 ** 8 + d}`,
    `${a}.${b}.${c * 2 ** 8 + d}`,
    [a, b, c, d].map(hex).join('.'),
    `${octal(a)}.${b}.${c}.${octal(d)}`,
    `${a}.${b}.${c}.${hex(d)}`,
  ];
};

test('an address that is not written as four decimal numbers is refused, whatever it is', () => {
  fc.assert(
    fc.property(anyV4, fc.nat(7), fc.option(fc.integer({ min: 1, max: 65_535 })), (address, form, port) => {
      const registry = `${oddSpellings(address)[form]}${port === null ? '' : `:${port}`}`;
      expect(refusedRegistry(registry, [])).toEqual(expect.any(String));
    }),
  );
});

test('an IPv4 address is public or not in plain form alone; in IPv6 it never is', () => {
  fc.assert(
    fc.property(anyV4, ([a, b, c, d]) => {
      const dotted = `${a}.${b}.${c}.${d}`;
      const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
      for (const form of [`::ffff:${dotted}`, `::${dotted}`, `64:ff9b::${dotted}`, `2002:${hex}::`]) {
        expect(isPublicAddress(form), form).toBe(false);
      }
      const local = a === 0 || a === 10 || a === 127 || a >= 224 || (a === 192 && b === 168);
      if (local) expect(isPublicAddress(dotted)).toBe(false);
    }),
  );
});

test('a host is judged alike whatever its case, a dot at its end and its port', () => {
  const hosts = fc.constantFrom('localhost', '127.0.0.1', 'a.svc', 'a.b.svc.cluster.local', 'x.local', 'postgres');
  const cased = hosts.chain((host) =>
    fc
      .array(fc.boolean(), { minLength: host.length, maxLength: host.length })
      .map((upper) => [...host].map((letter, index) => (upper[index] ? letter.toUpperCase() : letter)).join('')),
  );
  fc.assert(
    fc.property(
      cased,
      fc.constantFrom('', '.', '..'),
      fc.constantFrom('', ':1', ':443', ':65535'),
      (host, dot, port) => {
        expect(refusedRegistry(`${host}${dot}${port}`, ALLOWED)).toEqual(expect.any(String));
      },
    ),
  );
});

test('an allowed registry allows its own port and no other', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 65_535 }), fc.integer({ min: 1, max: 65_535 }), (own, asked) => {
      const refused = refusedRegistry(`10.1.2.3:${asked}`, [`10.1.2.3:${own}`]);
      expect(refused === undefined).toBe(own === asked);
    }),
  );
});

test.each(['https://registry.example', 'registry.example/path', 'host:port', 'host:70000', ''])(
  'the entry %j of images.allowedRegistries is refused in the file',
  (entry) => {
    const parsed = platformConfig.safeParse({ images: { allowedRegistries: [entry] } });
    expect(parsed.error?.issues[0]?.path).toEqual(['images', 'allowedRegistries', 0]);
  },
);
