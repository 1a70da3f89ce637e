import { describe, expect, test } from 'vitest';
import { imageSource, registryList } from '../../../runtime/service/src/image-source.ts';

const DNS: Readonly<Record<string, readonly string[]>> = {
  'public.example': ['93.184.215.14'],
  'rebound.example': ['127.0.0.1'],
  'mapped.example': ['::ffff:10.0.0.1'],
  'half.example': ['93.184.215.14', '10.203.0.1'],
  'six.example': ['fd00::1'],
  'node.example': ['93.184.216.99'],
  'docker.io': ['10.9.9.9'],
  'mirror.example': ['10.9.9.9'],
  '127.0.0.1.nip.example': ['127.0.0.1'],
};
const source = imageSource({
  allowed: ['mirror.example'],
  denied: () => ['93.184.216.99', '8.8.0.0/16', 'not a network'],
  resolve: async (host) => DNS[host] ?? [],
});

describe('an image is refused', () => {
  test.each([
    ['whose registry resolves to this machine', 'rebound.example/x'],
    ['whatever port it names', 'rebound.example:5000/x'],
    ['whose registry resolves to an IPv4 address in IPv6', 'mapped.example/x'],
    ['whose registry has one local address beside a public one', 'half.example/x'],
    ['whose registry resolves to a local IPv6 address', 'six.example/x'],
    ['whose registry resolves to an address of a node, public as it is', 'node.example:10250/x'],
    ['whose registry is in a network of the cluster, public as it is', '8.8.4.4:10250/x'],
    ['whose name holds an address that it resolves to', '127.0.0.1.nip.example/x'],
    ['whose registry is a mirror of the site, at another port', 'mirror.example:6443/x'],
    ['by its registry’s name alone', 'localhost:10248/x'],
  ])('%s', async (_, image) => {
    expect(await source(image)).toMatch(/^images of registry \S+ cannot be used here: /);
  });
});

describe('an image is let through', () => {
  test.each([
    ['of a public registry', 'public.example/x'],
    ['of a registry that cannot be resolved now', 'unknown.example/x'],
    ['of a well-known registry, though a mirror of the site answers', 'ubuntu'],
    ['of a mirror of the site', 'mirror.example/x'],
  ])('%s', async (_, image) => {
    expect(await source(image)).toBeUndefined();
  });
});

test('real DNS that does not answer lets an image through, in bounded time', async () => {
  expect(await imageSource({ allowed: [] })('nosuchhost.invalid/x')).toBeUndefined();
});

test('a list of registries is read from text', () => {
  expect(registryList('a.example, b.example:5000,')).toEqual(['a.example', 'b.example:5000']);
  expect(registryList('')).toEqual([]);
});
