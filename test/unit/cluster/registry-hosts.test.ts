import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MIRROR_HOST } from '@delos/artifacts';
import { type ImageMirror, imageMirror, WELL_KNOWN_REGISTRIES } from '@delos/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hostsOfPlatform } from '../../../cluster/src/embedded/node/platform-hosts.ts';
import { hostsOfNode, hostsOfSite, renderHosts, writeHosts } from '../../../cluster/src/registry-hosts.ts';

const mirror = (registry: string, url: string, more: Partial<ImageMirror> = {}): ImageMirror => ({
  ...imageMirror.parse({ registry, url }),
  ...more,
});
/** Whom a node asks for the images of a registry, one after the other. */
function asked(registry: string, standIns: boolean, mirrors: readonly ImageMirror[] = []): readonly string[] {
  const hosts = hostsOfNode({ standIns, mirrors }).find((each) => each.registry === registry);
  const text = hosts === undefined ? '' : renderHosts(hosts, '/certs');
  const server = /^server = "(.*)"$/m.exec(text)?.[1];
  return [...text.matchAll(/^\[host\."(.*)"\]$/gm)].map(([, url]) => url ?? '').concat(server ?? []);
}

describe('a node asks for an image', () => {
  test('of a well-known registry at its own, then at that registry; ours are nowhere else', () => {
    expect(asked('docker.io', false)).toEqual(['http://127.0.0.1:5000/v2/docker.io', 'https://registry-1.docker.io']);
    expect(asked('quay.io', false)).toEqual(['http://127.0.0.1:5000/v2/quay.io', 'https://quay.io']);
    expect(asked(MIRROR_HOST, false)).toEqual([`http://127.0.0.1:5000/v2/${MIRROR_HOST}`]);
  });

  test('at the mirrors of the site in their order, then at a stand-in, at last at the registry', () => {
    const mirrors = [
      mirror('docker.io', 'https://one.example.com'),
      mirror('docker.io', 'https://two.example.com/hub'),
    ];
    expect(asked('docker.io', true, mirrors)).toEqual([
      'http://127.0.0.1:5000/v2/docker.io',
      'https://one.example.com',
      'https://two.example.com/v2/hub',
      'http://127.0.0.1:5000/v2/stand-in/docker.io',
      'https://registry-1.docker.io',
    ]);
  });

  test('at the mirror of all registries, unless its registry has one of its own', () => {
    const mirrors = [mirror('*', 'https://all.example.com'), mirror('quay.io', 'https://quay.example.com')];
    expect(asked('ghcr.io', false, mirrors)).toContain('https://all.example.com');
    expect(asked('quay.io', false, mirrors)).not.toContain('https://all.example.com');
    expect(asked('*', false, mirrors)).toEqual(['https://all.example.com']);
  });

  test('never at the registry itself, where a mirror is to be the only one', () => {
    const mirrors = [
      mirror('docker.io', 'https://one.example.com'),
      mirror('docker.io', 'https://two.example.com', { only: true }),
    ];
    expect(asked('docker.io', false, mirrors)).toEqual([
      'http://127.0.0.1:5000/v2/docker.io',
      'https://one.example.com',
      'https://two.example.com',
    ]);
    expect(asked('*', false, [mirror('*', 'https://all.example.com', { only: true })])).toEqual([
      'https://all.example.com',
    ]);
  });
});

describe('the folder of containerd', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'delos-hosts-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('holds a file for each registry, beside the certificates that it names', () => {
    const certificateAuthority = 'the certificates';
    writeHosts(
      folder,
      hostsOfNode({ standIns: false, mirrors: [mirror('*', 'https://a.example.com', { certificateAuthority })] }),
    );
    expect(readdirSync(folder).sort()).toEqual(['_default', MIRROR_HOST, ...WELL_KNOWN_REGISTRIES].sort());
    const named = join(folder, 'quay.io', 'authority-1.crt');
    expect(readFileSync(join(folder, 'quay.io', 'hosts.toml'), 'utf8')).toContain(`ca = "${named}"`);
    expect(readFileSync(named, 'utf8')).toBe(certificateAuthority);
  });

  test('forgets what is no longer asked for, and names files as the node sees them', () => {
    const certificateAuthority = 'the certificates';
    const of = (given: Partial<ImageMirror>) => hostsOfSite([mirror('quay.io', 'https://a.example.com', given)]);
    writeHosts(folder, of({ certificateAuthority }), '/etc/containerd/certs.d');
    expect(readFileSync(join(folder, 'quay.io', 'hosts.toml'), 'utf8')).toContain(
      'ca = "/etc/containerd/certs.d/quay.io/authority-1.crt"',
    );
    writeHosts(folder, of({}), '/etc/containerd/certs.d');
    expect(readdirSync(join(folder, 'quay.io'))).toEqual(['hosts.toml']);
    writeHosts(folder, [], '/etc/containerd/certs.d');
    expect(existsSync(join(folder, 'quay.io'))).toBe(false);
  });
});

describe('the platform’s own registry', () => {
  const ports = [
    { host: 8080, node: 30080 },
    { host: 443, node: 30443 },
    { host: 5432, node: 31_000 },
  ];
  const texts = (publicName: string | null, index = 1): ReadonlyMap<string, string> => {
    const name = publicName === null ? null : { name: publicName, service: 'gateway' };
    const hosts = hostsOfPlatform({ number: 3, index, publicName: name }, { ports });
    return new Map(hosts.map((each) => [each.registry, renderHosts(each, '/certs')]));
  };
  const pull = 'capabilities = ["pull", "resolve"]\n';
  const at = (url: string, more = ''): string => `server = "${url}"\n${pull}${more}\n[host."${url}"]\n${pull}${more}`;

  test('is asked at the node’s own port, by each name that people know the platform by', () => {
    expect(texts('ai.example.com')).toEqual(
      new Map([
        ['127.0.0.1:8080', at('http://10.201.3.2:30080')],
        ['ai.example.com:8080', at('http://10.201.3.2:30080')],
        ['127.0.0.1', at('https://10.201.3.2:30443', 'skip_verify = true\n')],
        ['ai.example.com', at('https://10.201.3.2:30443', 'skip_verify = true\n')],
      ]),
    );
    expect([...texts(null).keys()]).toEqual(['127.0.0.1:8080', '127.0.0.1']);
    expect(texts(null, 2).get('127.0.0.1:8080')).toContain('http://10.201.3.6:30080');
  });
});
