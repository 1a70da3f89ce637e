import { delosConfig, parseConfig } from '@delos/constructs';
import { type PlatformConfig, projectNamespace } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { expectRefused, problemsOf } from '../../support/config-problems.ts';

const long = (length: number): string => 'a'.repeat(length);

describe('labels that the API server refuses are refused in the file', () => {
  const labels = (entry: string): string => `nodePools:\n  - {name: default, labels: {${entry}}}\n`;
  test.each([
    ['a blank in a value', 'gpu-type: ▸"A100 80GB"', 'gpu-type', /a label’s value.*found "A100 80GB"/],
    ['a value of 64 characters', `a: ▸${long(64)}`, 'a', /at most 63/],
    ['a value that ends in a dot', 'a: ▸b.', 'a', /letter or digit first and last/],
    ['a value that is no text', 'a: ▸true', 'a', /expected text, found true/],
    ['a blank in a key', '▸"a b": c', 'a b', /a label’s key/],
    ['a key of 64 characters', `▸${long(64)}: c`, long(64), /at most 63/],
    ['an empty key', '▸"": c', '', /a label’s key/],
    ['a prefix in capitals', '▸Example.com/a: c', 'Example.com/a', /DNS name before the slash/],
    ['two slashes', '▸a/b/c: d', 'a/b/c', /more than one slash/],
    ['a prefix of Kubernetes', '▸kubernetes.io/hostname: n', 'kubernetes.io/hostname', /Kubernetes itself/],
    ['a prefix below that of Kubernetes', '▸node-role.kubernetes.io/x: y', 'node-role.kubernetes.io/x', /itself/],
    ['the prefix k8s.io', '▸k8s.io/a: b', 'k8s.io/a', /Kubernetes itself/],
    ['the platform’s own prefix', '▸delos.dev/pool: x', 'delos.dev/pool', /the platform itself/],
  ])('%s', (_, entry, key, says) => {
    expectRefused(labels(entry), `nodePools[0].labels.${key}`, says);
  });

  test.each([
    'gpu-type: A100-80GB',
    'a: ""',
    `a: ${long(63)}`,
    `${long(63)}: c`,
    'example.com/A_b.c: "1"',
    'node.kubernetes.io/instance-type: p4d',
    'topology.kubernetes.io/zone: z1',
  ])('accepted: %s', (entry) => {
    expect(problemsOf(labels(entry))).toEqual([]);
  });
});

describe('quantities that make no sense are refused in the file', () => {
  const preset = (fields: string): string => `presets:\n  - {name: a, ${fields}}\n`;
  test.each([
    ['no memory', 'cpu: 1, memory: ▸0', 'memory', /at least 1Mi, found 0/],
    ['negative memory', 'cpu: 1, memory: ▸-1Gi', 'memory', /at least 1Mi, found "-1Gi"/],
    ['a forgotten suffix', 'cpu: 1, memory: ▸512', 'memory', /at least 1Mi, found 512/],
    ['thousandths of bytes', 'cpu: 1, memory: ▸512m', 'memory', /M is a million, m a thousandth/],
    ['more memory than any machine has', 'cpu: 1, memory: ▸1Ei', 'memory', /at most 4Pi/],
    ['memory with an unknown suffix', 'cpu: 1, memory: ▸5Q', 'memory', /quantity such as 512Mi/],
    ['no cores', 'cpu: ▸0, memory: 1Gi', 'cpu', /at least 0.001, found 0/],
    ['negative cores', 'cpu: ▸-2, memory: 1Gi', 'cpu', /at least 0.001, found -2/],
    ['parts of a thousandth of a core', 'cpu: ▸0.0005, memory: 1Gi', 'cpu', /whole thousandths of a core/],
    ['thousandths of a thousandth of a core', 'cpu: ▸1500u, memory: 1Gi', 'cpu', /whole thousandths of a core/],
    ['cores that are no quantity', 'cpu: ▸two, memory: 1Gi', 'cpu', /cores such as 2, 0.5 or 500m/],
    ['more cores than any machine has', 'cpu: ▸1e9, memory: 1Gi', 'cpu', /at most 2000000/],
    ['no device', 'cpu: 1, memory: 1Gi, nvidiaGpu: {count: ▸0}', 'nvidiaGpu.count', /at least 1/],
    ['half a device', 'cpu: 1, memory: 1Gi, nvidiaGpu: {count: ▸0.5}', 'nvidiaGpu.count', /whole number/],
    ['memory of no device', 'cpu: 1, memory: 1Gi, amdGpu: {count: 1, memory: ▸0}', 'amdGpu.memory', /at least 1Mi/],
    [
      'a price of many digits',
      `cpu: 1, memory: 1Gi, creditsPerHour: ▸"${'9'.repeat(13)}"`,
      'creditsPerHour',
      /12 digits/,
    ],
  ])('%s', (_, fields, field, says) => {
    expectRefused(preset(fields), `presets[0].${field}`, says);
  });

  test.each([
    ['a pool without memory', 'nodePools: [{name: p, memory: ▸0}]', 'nodePools[0].memory', /at least 1Mi/],
    ['a pool without disk', 'nodePools: [{name: p, disk: ▸0}]', 'nodePools[0].disk', /at least 1Mi/],
    ['a pool without cores', 'nodePools: [{name: p, cpu: ▸0m}]', 'nodePools[0].cpu', /at least 0.001/],
    [
      'more nodes than 32 bits count',
      'nodePools: [{name: p, maxSize: ▸2147483648}]',
      'nodePools[0].maxSize',
      /at most/,
    ],
    [
      'more replicas than 32 bits count',
      'services: {gateway: {replicas: ▸2147483648}}',
      'services.gateway.replicas',
      /at most/,
    ],
    [
      'a negative quota',
      'organizations: [{name: o, projects: [{name: p}], quota: {memory: ▸-1}}]',
      'organizations[0].quota.memory',
      /at least 0, found -1/,
    ],
    [
      'a weight without end',
      'organizations: [{name: o, projects: [{name: p}], weight: ▸1e300}]',
      'organizations[0].weight',
      /at most 1000000/,
    ],
    [
      'a preset larger than each node, told as it would be written',
      'nodePools: [{name: p, memory: 4Gi}]\npresets: [{name: a, cpu: 1, memory: ▸8Gi}]',
      'presets[0].memory',
      /at most 4Gi/,
    ],
  ])('%s', (_, text, field, says) => {
    expectRefused(text, field, says);
  });
});

test('cores that a program has added up are the sum that it meant', () => {
  const [preset] = delosConfig.parse({ presets: [{ name: 'a', cpu: 0.1 + 0.2, memory: '1Gi' }] }).presets;
  expect(preset?.cpu).toBe(0.3);
});

test('quantities are read as Kubernetes reads them', () => {
  const read = (memory: string, cpu: string): readonly number[] => {
    const [preset] = parseConfig(`presets: [{name: a, cpu: ${cpu}, memory: ${memory}}]`, 'f').presets;
    return [preset?.memory ?? 0, preset?.cpu ?? 0];
  };
  expect(read('"1e9"', '"2"')).toEqual([1e9, 2]);
  expect(read('1e9', '500m')).toEqual([1e9, 0.5]);
  expect(read('2Pi', '0.1')).toEqual([2 * 2 ** 50, 0.1]);
  expect(read('1.5Gi', '1k')).toEqual([1.5 * 2 ** 30, 1000]);
  expect(read('.5G', '+1')).toEqual([5e8, 1]);
  // A part of a byte counts as one, as in Kubernetes.
  expect(read('0.1Gi', '0.001')).toEqual([107_374_183, 0.001]);
  expect(parseConfig('nodePools: [{name: a, disk: 2Pi}]', 'f').nodePools[0]?.disk).toBe(2 * 2 ** 50);
  const quota = 'organizations: [{name: o, projects: [{name: p}], quota: {memory: 1Ei, cpu: 0}}]';
  expect(parseConfig(quota, 'f').organizations[0]?.quota).toEqual({ memory: 2 ** 60, cpu: 0 });
});

describe('users that Keycloak refuses are refused in the file', () => {
  test.each([
    ['a name of two letters', 'users: [{name: ▸al}]', 'users[0].name', /at least 3 characters/],
    ['a name of 64 letters', `users: [{name: ▸${long(64)}}]`, 'users[0].name', /at most 63 characters/],
    ['capitals in a name', 'users: [{name: ▸Ann}]', 'users[0].name', /lower-case letters/],
    ['a name as Keycloak gives services', 'users: [{name: ▸service-account-x}]', 'users[0].name', /another beginning/],
    ['the same of the admin', 'admin: {user: ▸service-account-x}', 'admin.user', /another beginning/],
    ['no e-mail address', 'users: [{name: ann, email: ▸ann}]', 'users[0].email', /an e-mail address/],
    [
      'a long mail box',
      `users: [{name: ann, email: ▸${long(65)}@example.com}]`,
      'users[0].email',
      /64 characters before/,
    ],
    ['a long host', `users: [{name: ann, email: ▸a@${long(64)}.com}]`, 'users[0].email', /host name after it/],
    [
      'the admin’s address, in other letters',
      'admin: {email: boss@example.com}\nusers: [{name: ann, email: ▸Boss@Example.com}]',
      'users[0].email',
      /`boss@example.com` is also the address of admin \(admin.email\)/,
    ],
    [
      'the admin’s address, which another would have by default',
      'domain: example.com\nadmin: {user: root, email: ann@example.com}\nusers: [{name: ▸ann}]',
      'users[0].name',
      /`ann@example.com`, which ann has since no other is given, is also the address of root/,
    ],
  ])('%s', (_, text, field, says) => {
    expectRefused(text, field, says);
  });

  test('two users with one address are told at both places', () => {
    const problems = problemsOf(
      'users:\n  - {name: ann, email: team@example.com}\n  - {name: bob, email: Team@Example.com}\n',
    );
    expect(problems).toMatchObject([
      { where: { line: 2, column: 24, field: 'users[0].email' }, message: expect.stringContaining('of bob') as string },
      { where: { line: 3, column: 24, field: 'users[1].email' }, message: expect.stringContaining('of ann') as string },
    ]);
  });

  test('an address is kept in lower case, as Keycloak keeps it', () => {
    const { users, admin } = parseConfig('admin: {email: A@B.org}\nusers: [{name: ann, email: Ann@B.org}]', 'f');
    expect([admin.email, users[0]?.email]).toEqual(['a@b.org', 'ann@b.org']);
  });
});

describe('a domain that is no host name is refused in the file', () => {
  test.each([
    ['https://a.example.com', /leave out the scheme/],
    ['a.example.com/', /leave out the scheme/],
    ['a.example.com:8080', /the port is `gateway.httpsPort`/],
    ['"::1"', /an IPv6 address needs a name/],
    ['a.example.com.', /leave out the dot at the end/],
    ['"*.example.com"', /one host is meant/],
    ['bücher.example', /write it as xn--bcher-kva.example/],
    ['a_b.example.com', /"a_b" is not made of letters/],
    ['-a.example.com', /"-a" is not made of/],
    ['a..b', /"" is not made of/],
    [`${long(64)}.com`, /has 64 characters/],
    [`${`${long(60)}.`.repeat(5)}com`, /has 308 characters, and 253 are the most/],
    ['1.2.3', /it would be an IPv4 address/],
    ['10.0.0.256', /it would be an IPv4 address/],
    ['"010.0.0.1"', /it would be an IPv4 address/],
    ['0.0.0.0', /no machine has that address/],
    ['255.255.255.255', /no machine has that address/],
    ['ai.svc.cluster.local', /the cluster’s own/],
    ['""', /it is empty/],
  ])('%s', (domain, says) => {
    expectRefused(`domain: ▸${domain}`, 'domain', /^expected a host name such as ai.example.com/);
    expectRefused(`domain: ▸${domain}`, 'domain', says);
  });

  test.each([
    ['AI.Example.COM', 'ai.example.com'],
    ['LOCALHOST', 'localhost'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['10.0.0.5', '10.0.0.5'],
    ['3com.com', '3com.com'],
  ])('accepted: %s, read as %s', (domain, read) => {
    expect(parseConfig(`domain: ${domain}`, 'f').domain).toBe(read);
  });
});

describe('other names that a later system refuses are refused in the file', () => {
  test.each([
    ['a node pool of 64 letters', `nodePools: [{name: ▸${long(64)}}]`, 'nodePools[0].name', /at most 63/],
    ['a node pool with a dot', 'nodePools: [{name: ▸a.b}]', 'nodePools[0].name', /letters, digits and hyphens/],
    ['a storage class in capitals', 'cluster: {storageClass: ▸Fast}', 'cluster.storageClass', /RFC 1123 subdomain/],
    ['a long storage class', `cluster: {storageClass: ▸${long(254)}}`, 'cluster.storageClass', /at most 253/],
    ['an empty context', 'cluster: {context: ▸""}', 'cluster.context', /not empty/],
    ['a character 0', 'cluster: {context: ▸"a\\0b"}', 'cluster.context', /without control characters/],
    [
      'a model of two lines',
      'nodePools: [{name: p, amdGpu: {count: 1, model: ▸"a\\nb"}}]',
      'nodePools[0].amdGpu.model',
      /control/,
    ],
    ['images of a bundle, and nobody who has them', 'images: {source: ▸site}', 'images.source', /not given/],
    ['a registry with a scheme', 'images: {registry: ▸https://r.org}', 'images.registry', /without https/],
    ['a registry that would be Docker Hub', 'images: {registry: ▸registry/delos}', 'images.registry', /Docker Hub/],
    ['a registry’s port beyond the last', 'images: {registry: ▸r.org:70000}', 'images.registry', /1–65535/],
    ['a registry’s path that no image has', 'images: {registry: ▸r.org/a..b}', 'images.registry', /single dots/],
    ['a registry’s host that is none', 'images: {registry: ▸-r.org}', 'images.registry', /hyphen first or last/],
    ['a port beyond the last', 'gateway: {httpsPort: ▸65536}', 'gateway.httpsPort', /at most 65535/],
    ['a negative port', 'gateway: {httpPort: ▸-1}', 'gateway.httpPort', /at least 0/],
    ['half a port', 'gateway: {httpPort: ▸80.5}', 'gateway.httpPort', /whole number/],
  ])('%s', (_, text, field, says) => {
    expectRefused(text, field, says);
  });

  test.each([
    ['localhost:5000', 'localhost:5000'],
    ['registry:5000/delos', 'registry:5000/delos'],
    ['Registry.Example.org/a/b__c', 'registry.example.org/a/b__c'],
    ['10.0.0.5:443', '10.0.0.5:443'],
  ])('a registry is accepted, its host in lower case: %s', (given, read) => {
    expect(parseConfig(`images: {registry: "${given}"}`, 'f').images.registry).toBe(read);
  });

  test('two projects whose namespaces would have one name are refused', () => {
    const org = 'o'.repeat(60);
    const namespace = projectNamespace(org, 'p38');
    // The pair was found by search; the names of both are too long to be readable in the namespace's.
    expect(projectNamespace(org, 'p34713')).toBe(namespace);
    expect(namespace).toHaveLength(63);
    expectRefused(
      `organizations:\n  - name: ${org}\n    projects: [{name: p38}, {name: ▸p34713}]\n`,
      'organizations[0].projects[1].name',
      new RegExp(`namespace of project ${org}/p38`),
    );
  });

  test('a configuration that no ConfigMap holds is refused', () => {
    const projects = Array.from({ length: 6000 }, (_, n) => `{name: p${n}}`).join(', ');
    expect(problemsOf(`organizations: [{name: o, projects: [${projects}]}]\n`)).toMatchObject([
      { message: expect.stringMatching(/a ConfigMap holds/) as string },
    ]);
  });
});

test('the defaults are accepted by all of these rules', () => {
  const defaults: PlatformConfig = parseConfig('', 'f');
  expect(defaults.domain).toBe('localhost');
});
