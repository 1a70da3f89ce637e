import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { platformConfig } from '@delos/core';
import { tryHolder, withLock, withMutex } from '@delos/host';
import { beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { corefile } from '../../../../cluster/src/embedded/addons/coredns.ts';
import { addonsOf } from '../../../../cluster/src/embedded/addons/index.ts';
import { addressesOf } from '../../../../cluster/src/embedded/host/addresses.ts';
import { type InventoryItem, readInventory, record, strike } from '../../../../cluster/src/embedded/host/inventory.ts';
import { renderTable } from '../../../../cluster/src/embedded/host/tables.ts';
import { certificatesOf } from '../../../../cluster/src/embedded/node/certificates.ts';
import { renderContainerd } from '../../../../cluster/src/embedded/node/containerd-config.ts';
import { renderKubelet, writeEtc } from '../../../../cluster/src/embedded/node/etc.ts';
import { partsOf } from '../../../../cluster/src/embedded/node/parts.ts';
import { ensurePki } from '../../../../cluster/src/embedded/node/pki.ts';
import { poolOf, publicNameOf } from '../../../../cluster/src/embedded/prepare.ts';
import { layoutOf, type NodeSpec, nodeSpec, specHash } from '../../../../cluster/src/embedded/spec.ts';
import { firstSpec } from '../../../support/cluster/first-spec.ts';
import { temporaryFolder } from '../../../support/setup/temporary-folder.ts';

let state: string;
let spec: NodeSpec;

beforeEach(() => {
  state = temporaryFolder('state');
  const first = firstSpec(state);
  spec = nodeSpec.parse({ ...first, tools: { ...first.tools, runcGuard: '/rg', diskKeeper: '/x/disks.ts' } });
});

describe('the files and command lines of a node', () => {
  test('no secret is on a command line, and every part waits only for parts that are there', () => {
    const parts = partsOf(spec);
    const names = parts.map((part) => part.name);
    for (const part of parts) {
      expect(names).toEqual(expect.arrayContaining([...part.after]));
      expect(part.args.join(' ')).not.toMatch(/token=|password|BEGIN/i);
    }
  });

  test('they are written once: a second time changes nothing, and the encryption key is kept for ever', async () => {
    const { etc, pki, adminKubeconfig } = layoutOf(state);
    await ensurePki(pki, certificatesOf(addressesOf(3)));
    writeEtc(spec);
    const key = readFileSync(join(etc, 'encryption.yaml'), 'utf8');
    const written = statSync(join(etc, 'kubelet.yaml')).mtimeMs;
    writeEtc({ ...spec, mtu: 1500 });
    expect(readFileSync(join(etc, 'encryption.yaml'), 'utf8')).toBe(key);
    expect(statSync(join(etc, 'kubelet.yaml')).mtimeMs).toBe(written);
    expect(statSync(adminKubeconfig).mode & 0o777).toBe(0o600);
    expect(parse(readFileSync(adminKubeconfig, 'utf8'))).toMatchObject({
      'current-context': 'delos-mine',
      clusters: [{ cluster: { server: 'https://10.201.3.2:6443' } }],
    });
  });

  test('every add-on that runs meets Pod Security restricted', async () => {
    await ensurePki(layoutOf(state).pki, certificatesOf(addressesOf(3)));
    const deployments = addonsOf(spec).filter(({ object }) => object.kind === 'Deployment');
    expect(deployments).toHaveLength(3);
    for (const { object } of deployments) {
      expect(object).toMatchObject({
        spec: {
          template: {
            spec: {
              containers: [
                {
                  securityContext: {
                    allowPrivilegeEscalation: false,
                    runAsNonRoot: true,
                    readOnlyRootFilesystem: true,
                    capabilities: { drop: ['ALL'] },
                    seccompProfile: { type: 'RuntimeDefault' },
                  },
                },
              ],
            },
          },
        },
      });
    }
  });

  test('the node is not restarted for another pool or other fake devices, but for anything else', () => {
    const hash = specHash(spec);
    expect(specHash({ ...spec, labels: { a: 'b' }, fakeResources: { 'nvidia.com/gpu': 2 } })).toBe(hash);
    expect(specHash({ ...spec, mtu: 1500 })).not.toBe(hash);
  });

  test('the node belongs to the first pool; fake devices are its extended resources, real ones are not', () => {
    const config = (fakeGpus: boolean) =>
      platformConfig.parse({
        nodePools: [{ name: 'gpu', fakeGpus, nvidiaGpu: { count: 4 }, labels: { zone: 'a' } }, { name: 'other' }],
      });
    expect(poolOf(config(true))).toEqual({
      labels: { 'delos.dev/pool': 'gpu', zone: 'a' },
      fakeResources: { 'nvidia.com/gpu': 4 },
    });
    expect(poolOf(config(false)).fakeResources).toEqual({});
  });

  test.each([
    ['ai.example.com', { name: 'ai.example.com', service: 'gateway.delos.svc.cluster.local' }],
    ['AI.Example.com', { name: 'ai.example.com', service: 'gateway.delos.svc.cluster.local' }],
    ['localhost', null],
    ['a.localhost', null],
    ['127.0.0.1', null],
    ['198.51.100.7', null],
  ])('of the domain %s, cluster DNS answers %j', (domain, expected) => {
    expect(publicNameOf(domain)).toEqual(expected);
    const written = corefile({ forward: true, publicName: publicNameOf(domain) });
    if (expected === null) expect(written).not.toContain('rewrite');
    else expect(written).toContain(`ai\\.example\\.com\\.$ ${expected.service} answer auto\n`);
  });

  test('containers are made through the guard; a node that was started before there was one is still understood', () => {
    expect(renderContainerd(spec)).toContain('        SystemdCgroup = false\n        BinaryName = "/rg"\n\n');
    const { publicName: _, relays: __, ...old } = spec;
    const { runcGuard: ___, ...tools } = old.tools;
    const understood = nodeSpec.parse({ ...old, tools });
    expect(renderContainerd(understood)).toContain('        SystemdCgroup = false\n\n');
  });

  test('the kubelet bounds processes, and ends Pods before the node is out of disk, inodes or process ids', () => {
    const kubelet = parse(renderKubelet(spec, addressesOf(3)));
    expect(kubelet).toMatchObject({
      podPidsLimit: 4096,
      evictionHard: {
        'nodefs.available': '1Gi',
        'nodefs.inodesFree': '3%',
        'imagefs.inodesFree': '3%',
        'pid.available': '10%',
      },
    });
  });

  test('another public name does not restart the node', () => {
    expect(specHash({ ...spec, publicName: publicNameOf('ai.example.com') })).toBe(specHash(spec));
  });

  test('Pods reach the machine at none of its addresses, but for the resolvers that cluster DNS asks', () => {
    const table = renderTable([addressesOf(3)], ['10.201.3.1', '2001:db8::53']);
    expect(table).toContain(`    iifname "delos-3" ip saddr 10.201.3.2 accept
    fib daddr type != { local, broadcast, multicast, anycast } accept
    ip daddr 10.201.3.1 meta l4proto { tcp, udp } th dport 53 accept
    counter reject with icmp admin-prohibited
`);
  });

  test('nothing from outside reaches the node by itself', () => {
    const table = renderTable([addressesOf(3)], []);
    expect(table).toContain('oifname "delos-3" ct state established,related accept\n    oifname "delos-3" drop');
  });
});

describe('the inventory', () => {
  const items: InventoryItem[] = [
    { kind: 'sysctl', name: 'net.ipv4.ip_forward', before: '0' },
    { kind: 'link', name: 'delos-3' },
  ];

  test('keeps the order in which things were made, and what a setting was at first', () => {
    const path = join(state, 'inventory.json');
    record(path, items);
    record(path, [
      { kind: 'sysctl', name: 'net.ipv4.ip_forward', before: '1' },
      { kind: 'cgroup', path: 'delos-x' },
    ]);
    expect(readInventory(path)).toEqual([...items, { kind: 'cgroup', path: 'delos-x' }]);
  });

  test('forgets one thing at a time; a missing or half-written file is an empty one', () => {
    const path = join(state, 'inventory.json');
    expect(readInventory(path)).toEqual([]);
    record(path, items);
    strike(path, { kind: 'link', name: 'delos-3' });
    expect(readInventory(path)).toEqual(items.slice(0, 1));
    writeFileSync(path, '{"items": [');
    expect(readInventory(path)).toEqual([]);
  });
});

describe('locks', () => {
  test('who comes second is refused and told who holds it; afterwards it is free', async () => {
    const name = `test:${state}`;
    await withLock(name, 'cluster up', async () => {
      await expect(withLock(name, 'cluster down', () => Promise.resolve())).rejects.toMatchObject({
        code: 'ERR_LOCKED',
        message: expect.stringContaining(`process ${process.pid} (cluster up)`),
      });
    });
    expect(await tryHolder(name)).toBeUndefined();
    expect(await withLock(name, 'cluster down', () => Promise.resolve('free'))).toBe('free');
  });

  test('a mutex lets one at a time in', async () => {
    let within = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 8 }, () =>
        withMutex(`mutex:${state}`, async () => {
          most = Math.max(most, ++within);
          await new Promise((resolve) => setTimeout(resolve, 2));
          within--;
        }),
      ),
    );
    expect(most).toBe(1);
  });
});
