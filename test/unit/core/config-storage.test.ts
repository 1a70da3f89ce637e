import { parseConfig } from '@delos/constructs';
import { fileStorageKind } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { expectRefused } from '../../support/config-problems.ts';

/** What a site has already, where `ha` asks for it. */
const HA = `profile: ha
services:
  keycloak: {external: {url: 'https://sso.example.com', addresses: [203.0.113.7], admin: {secret: {name: a, key: b}}}}
  devpi: {enabled: false}
`;

describe('a file storage that could not be used is refused at its place in the file', () => {
  test.each([
    ['two ways at once', 'nfs: {server: a.example.com, path: /x}, csi: ▸{driver: d, volumeHandle: v}', 'csi', /`nfs`/],
    ['a relative folder', 'directory: {path: ▸srv/delos}', 'directory.path', /expected an absolute path/],
    ['a slash at its end', 'directory: {path: ▸/srv/delos/}', 'directory.path', /expected an absolute path/],
    ['a way up', 'directory: {path: ▸/srv/../etc}', 'directory.path', /without \. and \.\./],
    ['a folder of a node', 'directory: {path: ▸/var/lib/kubelet/x}', 'directory.path', /does not have for itself/],
    ['the root', 'directory: {path: ▸/}', 'directory.path', /expected an absolute path/],
    ['a server with a path', 'nfs: {server: ▸"nfs:/x", path: /x}', 'nfs.server', /expected a host name/],
    [
      'options in one text',
      'nfs: {server: a, path: /x, mountOptions: [▸"hard,vers=4"]}',
      'nfs.mountOptions[0]',
      /one option an entry/,
    ],
    ['no size', 'size: ▸0, claim: {storageClass: a}', 'size', /./],
  ])('%s', (_, section, field, words) => {
    expectRefused(`storage: {${section}}`, `storage.${field}`, words);
  });

  test('a folder of one node in a platform that outlives each node', () => {
    const refused = `${HA}storage: {directory: ▸{path: /srv/delos}}\n`;
    expectRefused(refused, 'storage.directory', /say `shared: true` where all nodes mount the same file system/);
    const shared = parseConfig(`${HA}storage: {directory: {path: /srv/delos, shared: true}}\n`, 'delos.yaml');
    expect(fileStorageKind(shared.storage)).toBe('directory');
  });
});

test('there is none unless a way is chosen', () => {
  expect(fileStorageKind(parseConfig('', 'delos.yaml').storage)).toBeUndefined();
  expect(fileStorageKind(parseConfig('storage: {size: 1Ti}', 'delos.yaml').storage)).toBeUndefined();
});
