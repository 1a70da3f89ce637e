import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { proxyOf } from '../../../cluster/src/embedded/proxy.ts';
import { lostNodeChecks, pidsCheck, socketsCheck } from '../../../cluster/src/preflight/cluster.ts';
import { fileSystemCheck } from '../../../cluster/src/preflight/filesystem.ts';
import { type BaseChain, forwardCheck, relayCheck, rulesOf } from '../../../cluster/src/preflight/firewall.ts';
import { inotifyChecks } from '../../../cluster/src/preflight/inotify.ts';
import { memoryCheck, platformCheck, proxyCheck } from '../../../cluster/src/preflight/machine.ts';
import { NEEDS } from '../../../cluster/src/preflight/needs.ts';

const GIB = 2 ** 30;

test('the profile ha needs a node for each Pod of a service, and no other profile counts them', () => {
  expect(lostNodeChecks({ profile: 'ha' }, { nodes: 1, apart: 2 })).toEqual([
    expect.objectContaining({ id: 'nodes.ha', ok: false, fatal: true, measured: '1 node' }),
  ]);
  expect(lostNodeChecks({ profile: 'ha' }, { nodes: 1, apart: 2 }, 'have more')).toMatchObject([
    { fix: 'have more, or set profile: medium in delos.yaml' },
  ]);
  expect(lostNodeChecks({ profile: 'ha' }, { nodes: 2, apart: 2 })).toMatchObject([{ ok: true }]);
  expect(lostNodeChecks({ profile: 'ha' }, { nodes: 2, apart: 3 })).toMatchObject([
    { ok: false, measured: '2 nodes', needed: expect.stringMatching(/^3 nodes or more/) as unknown },
  ]);
  expect(lostNodeChecks({ profile: 'small' }, { nodes: 1, apart: 3 })).toEqual([]);
});

describe('the machine', () => {
  test.each([
    ['linux', 'x64', true],
    ['linux', 'arm64', false],
    ['darwin', 'x64', false],
  ])('%s/%s can hold the embedded engine: %s', (platform, arch, ok) => {
    expect(platformCheck({ platform: platform as 'linux', arch: arch as 'x64' })).toMatchObject({
      id: 'machine.platform',
      ok,
      fatal: true,
      measured: `${platform}/${arch}`,
    });
  });

  test.each([
    ['as much as is needed', NEEDS.memoryBytes, false, true],
    ['a byte less', NEEDS.memoryBytes - 1, false, false],
    ['a byte less beside a node that holds the rest', NEEDS.memoryBytes - 1, true, true],
  ])('has memory enough: %s', (_name, available, running, ok) => {
    expect(memoryCheck(available, running)).toMatchObject({ id: 'memory.least', ok, fatal: true, needed: '4.0 GiB' });
  });

  test.each([
    ['the first does not run', NEEDS.memoryBytes + 2 * NEEDS.furtherNodeBytes, false, true],
    ['the first does not run, a byte less', NEEDS.memoryBytes + 2 * NEEDS.furtherNodeBytes - 1, false, false],
    ['the first runs', 2 * NEEDS.furtherNodeBytes, true, true],
    ['the first runs, a byte less', 2 * NEEDS.furtherNodeBytes - 1, true, false],
  ])('has memory enough for two nodes more: %s', (_name, available, running, ok) => {
    expect(memoryCheck(available, running, 2).ok).toBe(ok);
  });

  test('has inotify for two nodes more, or is told how many they need', () => {
    const facts = { maxInstances: 128, usedInstances: 128 - NEEDS.inotifyInstances, maxWatches: 192_536 };
    expect(inotifyChecks(facts)[0]?.ok).toBe(true);
    expect(inotifyChecks(facts, 2)[0]).toMatchObject({ ok: false, fatal: false, needed: '96 free ones' });
  });

  test('the guide asks for what preflight asks for', () => {
    const guide = readFileSync(join(import.meta.dirname, '../../../docs/guides/getting-started.md'), 'utf8');
    const disk = (NEEDS.cacheBytes + NEEDS.stateBytes) / GIB;
    expect(guide).toContain(`${NEEDS.memoryBytes / GIB} GiB of free memory, ${disk} GiB of free disk`);
  });

  test.each([
    ['ext4', 0xef53, true],
    ['xfs', 0x58465342, true],
    ['btrfs', 0x9123683e, true],
    ['btrfs, its number read as a signed one', 0x9123683e - 2 ** 32, true],
    ['tmpfs', 0x01021994, true],
    ['a file system nobody knows', 1, true],
    ['overlay', 0x794c7630, false],
    ['NFS', 0x6969, false],
    ['FUSE', 0x65735546, false],
    ['CIFS', 0xff534d42, false],
    ['CIFS, its number read as a signed one', 0xff534d42 - 2 ** 32, false],
  ])('state on %s can hold containers: %s', (_name, type, ok) => {
    const found = fileSystemCheck('/state', type as number);
    expect(found).toMatchObject({
      id: 'disk.overlay',
      ok,
      fatal: true,
      fix: expect.stringContaining('XDG_STATE_HOME='),
    });
    expect(found.measured).toMatch(ok ? /can hold containers/ : /lies on /);
  });

  test.each([
    ['many', { maxInstances: 128, usedInstances: 10, maxWatches: 192_536 }, [true, true], false],
    [
      'few, since others hold them',
      { maxInstances: 128, usedInstances: 100, maxWatches: 192_536 },
      [false, true],
      false,
    ],
    ['fewer than can ever be enough', { maxInstances: 32, usedInstances: 0, maxWatches: 192_536 }, [false, true], true],
    ['instances, but no watches', { maxInstances: 512, usedInstances: 0, maxWatches: 100 }, [true, false], false],
  ])('has inotify: %s', (_name, facts, ok, fatal) => {
    const [instances, watches] = inotifyChecks(facts);
    expect([instances?.ok, watches?.ok]).toEqual(ok);
    expect(instances).toMatchObject({
      id: 'inotify.instances',
      fatal,
      fix: expect.stringMatching(/^sysctl -w fs\.inotify\.max_user_instances=\d+/),
    });
    expect(watches).toMatchObject({
      id: 'inotify.watches',
      fatal: false,
      fix: expect.stringMatching(/max_user_watches=524288/),
    });
  });
});

describe('firewalls', () => {
  const chain = (rules: readonly string[], rest: Partial<BaseChain> = {}): BaseChain => ({
    family: 'ip',
    table: 'filter',
    name: 'INPUT',
    policy: 'accept',
    rules,
    ...rest,
  });
  const OURS = 'iifname "delos-*" counter packets 0 bytes 0 accept';
  test.each([
    ['no chain', [], false],
    ['a chain that accepts', [chain(['tcp dport 22 accept'])], false],
    ['a policy of drop', [chain(['tcp dport 22 accept'], { policy: 'drop' })], true],
    ['a last rule that drops', [chain(['tcp dport 22 accept', 'counter packets 7 bytes 9 drop'])], true],
    [
      'a last rule that rejects',
      [chain(['tcp dport 22 accept', 'reject with icmpx admin-prohibited'], { family: 'inet', table: 'firewalld' })],
      true,
    ],
    ['a drop that is not for all', [chain(['ip saddr 192.0.2.9 drop', 'tcp dport 22 accept'])], false],
    ['a policy of drop with a rule that lets us in', [chain([OURS], { policy: 'drop' })], false],
    ['the table of an instance of ours', [chain([], { policy: 'drop', table: 'delos_0' })], false],
  ] as const)('%s: closes the way to a relay %s', (_name, chains, closed) => {
    expect(relayCheck(chains, ['DNS']).ok).toBe(!closed);
    expect(forwardCheck(chains).ok).toBe(!closed);
    // Nothing has to arrive where nothing is relayed.
    expect(relayCheck(chains, []).ok).toBe(true);
  });

  test('what closes the way is named, with how to open it', () => {
    const docker = chain(['counter packets 0 bytes 0 jump DOCKER-USER'], { name: 'FORWARD', policy: 'drop' });
    expect(forwardCheck([docker])).toMatchObject({
      id: 'network.forward',
      fatal: false,
      measured: 'chain ip filter FORWARD drops what the machine is to pass on',
      fix: expect.stringContaining('iptables -I DOCKER-USER'),
    });
    expect(relayCheck([chain([], { policy: 'drop' })], ['DNS'])).toMatchObject({
      id: 'network.relay',
      fatal: false,
      measured: 'chain ip filter INPUT drops what comes from the node, which needs it for DNS',
      fix: expect.stringContaining('iptables -I INPUT -i delos-+'),
    });
  });

  test('rules are read from what nft prints, without the head of the chain', () => {
    const text =
      'table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy drop;\n\t\ttcp dport 22 accept\n\t\tcounter packets 1 bytes 2 drop\n\t}\n}\n';
    expect(rulesOf(text)).toEqual(['tcp dport 22 accept', 'counter packets 1 bytes 2 drop']);
  });
});

describe('proxy settings', () => {
  const HOST = '10.201.0.1';
  test.each([
    ['none', {}, {}, []],
    ['one of the site', { HTTPS_PROXY: 'http://proxy.site:3128' }, { HTTPS_PROXY: 'http://proxy.site:3128' }, []],
    ['in lower case', { https_proxy: 'http://proxy.site:3128' }, { HTTPS_PROXY: 'http://proxy.site:3128' }, []],
    [
      'on loopback',
      { HTTP_PROXY: 'http://127.0.0.1:3128', HTTPS_PROXY: 'http://localhost:3128/', NO_PROXY: '.site' },
      { HTTP_PROXY: `http://${HOST}:3128`, HTTPS_PROXY: `http://${HOST}:3128`, NO_PROXY: '.site' },
      [{ port: 3128, host: '127.0.0.1' }],
    ],
    [
      'on loopback without a scheme',
      { HTTP_PROXY: '127.0.0.1:3128' },
      { HTTP_PROXY: `http://${HOST}:3128` },
      [{ port: 3128, host: '127.0.0.1' }],
    ],
    [
      'on IPv6’s loopback, with a login',
      { HTTP_PROXY: 'http://me:p%40ss@[::1]:8888' },
      { HTTP_PROXY: `http://me:p%40ss@${HOST}:8888` },
      [{ port: 8888, host: '::1' }],
    ],
    [
      'on loopback at the usual port',
      { HTTP_PROXY: 'http://localhost' },
      { HTTP_PROXY: `http://${HOST}:80` },
      [{ port: 80, host: '127.0.0.1' }],
    ],
    ['empty', { HTTP_PROXY: '' }, {}, []],
  ])('%s', (_name, env, proxy, relays) => {
    expect(proxyOf(env, HOST)).toEqual({ proxy, relays, unreadable: [] });
  });

  test('one that is no URL is left out and told of, without its value', () => {
    const { proxy, unreadable } = proxyOf({ HTTP_PROXY: 'http://me:secret@:x' }, HOST);
    expect(proxy).toEqual({});
    expect(proxyCheck(unreadable)).toMatchObject({ id: 'network.proxy', ok: false, fatal: false });
    expect(JSON.stringify(proxyCheck(unreadable))).not.toContain('secret');
    expect(proxyCheck([]).ok).toBe(true);
  });
});

describe('nodes of an existing cluster', () => {
  test.each([
    ['containerd://1.6.20', false],
    ['containerd://1.5.9-k3s1', false],
    ['containerd://1.7.0', true],
    ['containerd://v2.1.4', true],
    ['cri-o://1.34.0', true],
    ['', true],
  ])('keep AF_VSOCK from jobs, run by %j: %s', (runtime, ok) => {
    const nodes = [
      { name: 'a', runtime: 'containerd://2.0.0' },
      { name: 'b', runtime },
    ];
    expect(socketsCheck(nodes)).toMatchObject({ id: 'nodes.sockets', ok, fatal: false });
    if (!ok) expect(socketsCheck(nodes).measured).toBe(`${runtime} on b`);
  });

  const LIMITED = { podPidsLimit: 4096, evictionHard: {} };
  const OPEN = { podPidsLimit: -1, evictionHard: {} };
  test.each([
    ['all have a limit', new Map([['a', LIMITED]]), true, 'each node has a limit'],
    [
      'one has none',
      new Map([
        ['a', LIMITED],
        ['b', OPEN],
      ]),
      false,
      'no limit on b',
    ],
    [
      'many have none',
      new Map(['a', 'b', 'c', 'd'].map((name) => [name, OPEN])),
      false,
      'no limit on a, b, c and 1 more',
    ],
    ['one could not be asked', new Map([['a', undefined]]), false, 'a did not tell'],
  ] as const)('bound the processes of a Pod: %s', (_name, kubelets, ok, measured) => {
    expect(pidsCheck(kubelets)).toMatchObject({
      id: 'nodes.pids',
      ok,
      fatal: false,
      measured,
      fix: expect.stringContaining('podPidsLimit: 4096'),
    });
  });
});
