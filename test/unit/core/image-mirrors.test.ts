import { generateKeyPairSync } from 'node:crypto';
import { mirrorsOf, platformConfig } from '@delos/core';
import { describe, expect, test } from 'vitest';

const mirrors = (...entries: readonly unknown[]) => platformConfig.safeParse({ images: { mirrors: entries } });
const url = (text: string) => mirrors({ registry: 'docker.io', url: text });

describe('the URL of a mirror', () => {
  test.each([
    ['https://mirror.example.com', 'https://mirror.example.com'],
    ['https://mirror.example.com/', 'https://mirror.example.com'],
    ['http://10.1.2.3:5000', 'http://10.1.2.3:5000'],
    ['https://harbor.example.com/dockerhub', 'https://harbor.example.com/v2/dockerhub'],
    ['https://harbor.example.com/dockerhub/', 'https://harbor.example.com/v2/dockerhub'],
    ['https://harbor.example.com/v2/dockerhub', 'https://harbor.example.com/v2/dockerhub'],
    ['https://art.example.com/api/docker/hub/v2', 'https://art.example.com/api/docker/hub/v2'],
  ])('%s is asked at %s, and what was read is read the same again', (text, asked) => {
    expect(url(text).data?.images.mirrors[0]?.url).toBe(asked);
    expect(url(asked).data?.images.mirrors[0]?.url).toBe(asked);
  });

  test.each([
    ['mirror.example.com', 'it begins with http:// or https://'],
    ['ftp://mirror.example.com', 'it begins with http:// or https://'],
    ['https://', 'it begins with http:// or https://'],
    ['https://me:secret@mirror.example.com', 'a mirror that asks for a login is not supported'],
    ['https://mirror.example.com/?ns=docker.io', 'it has no query and no fragment'],
    ['https://mirror.example.com/a%zz', 'its path has characters that none has'],
  ])('%s is refused: %s', (text, why) => {
    expect(url(text).error?.issues).toMatchObject([
      { path: ['images', 'mirrors', 0, 'url'], message: `expected the URL of a mirror, found "${text}": ${why}` },
    ]);
  });
});

test.each(['', 'https://docker.io', 'docker.io/library', 'docker.io:0', '**'])(
  'the registry %j is refused, since no image name has it',
  (registry) => {
    const issues = mirrors({ registry, url: 'https://mirror.example.com' }).error?.issues;
    expect(issues?.map(({ path }) => path)).toEqual([['images', 'mirrors', 0, 'registry']]);
  },
);

test.each([
  ['a key', generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
  ['words', 'the authority of the site'],
  ['a broken certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
])('%s is no certificate authority', (_name, certificateAuthority) => {
  const issues = mirrors({ registry: '*', url: 'https://mirror.example.com', certificateAuthority }).error?.issues;
  expect(issues?.map(({ path }) => path)).toEqual([['images', 'mirrors', 0, 'certificateAuthority']]);
});

test('a registry with mirrors of its own is not asked for at those of all others', () => {
  const given = mirrors(
    { registry: '*', url: 'https://all.example.com' },
    { registry: 'Quay.io', url: 'https://one.example.com' },
    { registry: 'quay.io', url: 'https://two.example.com' },
  ).data?.images.mirrors;
  const asked = (registry: string) => mirrorsOf(given ?? [], registry).map((mirror) => mirror.url);
  expect(asked('quay.io')).toEqual(['https://one.example.com', 'https://two.example.com']);
  expect(asked('ghcr.io')).toEqual(['https://all.example.com']);
});

test.each([
  [
    'a mirror that is named twice',
    { images: { mirrors: [one('https://a.example.com'), one('https://a.example.com/')] } },
    [{ path: ['images', 'mirrors', 1, 'url'], message: '`https://a.example.com` is a mirror of `docker.io` already' }],
  ],
  [
    'a mirror for nodes that Delos does not make',
    { cluster: { engine: 'existing' }, images: { mirrors: [one('https://a.example.com')] } },
    [
      {
        path: ['images', 'mirrors'],
        message: 'the nodes of an existing cluster get their mirrors from its administrator (containerd: hosts.toml)',
      },
    ],
  ],
])('%s is refused', (_name, given, faults) => {
  expect(platformConfig.safeParse(given).error?.issues).toMatchObject(faults);
});

function one(text: string) {
  return { registry: 'docker.io', url: text };
}
