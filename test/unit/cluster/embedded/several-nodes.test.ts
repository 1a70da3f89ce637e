import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { platformConfig } from '@delos/core';
import { beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { asksForVolume, isOurs, volumeManifest, volumeShape } from '../../../../cluster/src/disks/volume.ts';
import { disks } from '../../../../cluster/src/embedded/addons/disks.ts';
import { addressesOf, MOST_NODES } from '../../../../cluster/src/embedded/host/addresses.ts';
import { cgroupOf, nodeMarker } from '../../../../cluster/src/embedded/host/marks.ts';
import { renderNodeTable, renderTable } from '../../../../cluster/src/embedded/host/tables.ts';
import { change, NOTHING_WANTED, readWanted, writeWanted } from '../../../../cluster/src/embedded/host/wanted.ts';
import { membersOf, poolsWanted } from '../../../../cluster/src/embedded/members.ts';
import { certificatesOf, nodeCertificatesOf } from '../../../../cluster/src/embedded/node/certificates.ts';
import { writeEtc } from '../../../../cluster/src/embedded/node/etc.ts';
import { partsOf } from '../../../../cluster/src/embedded/node/parts.ts';
import { ensurePki } from '../../../../cluster/src/embedded/node/pki.ts';
import { layoutOf, type NodeSpec, nodeSpec, readMembers, specHash } from '../../../../cluster/src/embedded/spec.ts';
import { firstSpec } from '../../../support/cluster/first-spec.ts';
import { temporaryFolder } from '../../../support/setup/temporary-folder.ts';

let state: string;
/** As an `up` of a release without further nodes wrote it. */
let old: Record<string, unknown>;
let spec: NodeSpec;

beforeEach(() => {
  state = temporaryFolder('nodes');
  const first = firstSpec(state);
  old = {
    ...first,
    tools: { ...first.tools, policyAgent: '/a' },
    resolvers: [],
    labels: { 'delos.dev/pool': 'default' },
  };
  spec = nodeSpec.parse(old);
});

const write = (path: string, value: unknown): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(value));
};

describe('which nodes there shall be', () => {
  const pools = ['cpu', 'gpu'];
  const config = (nodes?: readonly string[]) =>
    platformConfig.parse({
      nodePools: pools.map((name) => ({ name, maxSize: 9 })),
      cluster: { embedded: nodes === undefined ? {} : { nodes } },
    });
  const there = (...names: readonly string[]) => names.map((pool) => ({ labels: { 'delos.dev/pool': pool } }));

  test.each<[string, readonly string[] | undefined, readonly string[], number | undefined, readonly string[]]>([
    ['nothing is said and nothing is there', undefined, [], undefined, ['cpu']],
    ['nothing is said and three are there', undefined, ['cpu', 'gpu', 'gpu'], undefined, ['cpu', 'gpu', 'gpu']],
    ['a pool went from the configuration', undefined, ['cpu', 'gone'], undefined, ['cpu', 'cpu']],
    ['the configuration lists them', ['gpu', 'cpu'], ['cpu'], undefined, ['gpu', 'cpu']],
    ['more are asked for', undefined, ['cpu', 'gpu'], 4, ['cpu', 'gpu', 'gpu', 'gpu']],
    ['more are asked for than the configuration lists', ['gpu', 'cpu'], [], 3, ['gpu', 'cpu', 'cpu']],
    ['fewer are asked for', undefined, ['cpu', 'gpu', 'gpu'], 1, ['cpu']],
  ])('%s', (_case, listed, before, asked, expected) => {
    expect(poolsWanted(config(listed), there(...before), asked)).toEqual(expected);
  });

  test.each([0, 17, -1, 1.5])('%s nodes are refused', (asked) => {
    expect(() => poolsWanted(config(), [], asked)).toThrow(/expected a whole number from 1 to 16/);
  });

  test('each gets what its pool has', () => {
    const given = platformConfig.parse({
      nodePools: [{ name: 'cpu' }, { name: 'gpu', fakeGpus: true, nvidiaGpu: { count: 2 }, labels: { rack: 'b' } }],
    });
    const role = 'node-role.kubernetes.io/control-plane';
    const nodes = membersOf(spec, given, ['cpu', 'gpu']);
    expect(nodes.map(({ labels }) => labels[role])).toEqual(['', undefined]);
    expect(nodes).toMatchObject([
      { index: 1, nodes: 2, labels: { 'delos.dev/pool': 'cpu' }, fakeResources: {} },
      {
        index: 2,
        nodes: 2,
        labels: { 'delos.dev/pool': 'gpu', rack: 'b' },
        fakeResources: { 'nvidia.com/gpu': 2 },
      },
    ]);
  });

  test.each([
    [{ engine: 'kind', embedded: { nodes: ['cpu'] } }, 'nodes of the engine `embedded`'],
    [{ embedded: { nodes: ['cpu', 'gqu'] } }, 'did you mean `gpu`?'],
    [
      { embedded: { nodes: Array.from({ length: 10 }, () => 'cpu') } },
      '10 nodes are of pool `cpu`, whose maxSize is 9',
    ],
    [{ embedded: { nodes: Array.from({ length: 17 }, () => 'cpu') } }, '<=16'],
  ])('a configuration is refused: %j', (cluster, said) => {
    const result = platformConfig.safeParse({ nodePools: pools.map((name) => ({ name, maxSize: 9 })), cluster });
    expect(result.error?.issues.map(({ message }) => message).join()).toContain(said);
  });
});

test('the example of the guide is accepted, and gives three nodes', () => {
  const guide = readFileSync(join(import.meta.dirname, '../../../../docs/guides/nodes.md'), 'utf8');
  const config = platformConfig.parse(parse(/```yaml\n([\s\S]*?)```/.exec(guide)?.[1] ?? ''));
  expect(poolsWanted(config, [], undefined)).toEqual(['default', 'gpu', 'gpu']);
});

describe('a state of one node', () => {
  test('is understood as it is, and the node is not restarted when others come', () => {
    expect(spec).toMatchObject({ index: 1, nodes: 1 });
    const more = { ...spec, nodes: 3 };
    expect(specHash(more)).toBe(specHash(spec));
    expect(specHash({ ...more, mtu: 1500 })).not.toBe(specHash(spec));
  });

  test('stays where it is; a further node has a folder of its own for what is its own', () => {
    const [first, second] = [layoutOf(state), layoutOf(state, 2)];
    expect(first.kubelet).toBe(join(state, 'cluster/kubelet'));
    const own = [
      'spec',
      'etc',
      'kubelet',
      'containerd',
      'cni',
      'volumes',
      'disks',
      'nodeLog',
      'logs',
      'nodeStatus',
    ] as const;
    for (const name of own) expect(second[name]).not.toBe(first[name]);
    for (const name of ['pki', 'adminKubeconfig', 'inventory', 'hostStatus'] as const)
      expect(second[name]).toBe(first[name]);
  });

  test('has as many nodes as there are settings, whatever else lies in their folder', () => {
    expect(readMembers({ state })).toEqual([]);
    write(layoutOf(state).spec, old);
    for (const index of [10, 2]) write(layoutOf(state, index).spec, { ...old, index });
    write(join(layoutOf(state).nodes, 'notes', 'spec.json'), old);
    mkdirSync(join(layoutOf(state).nodes, '5'));
    expect(readMembers({ state }).map(({ index }) => index)).toEqual([1, 2, 10]);
  });
});

describe('a further node', () => {
  test('has its own kubelet and what belongs to a node, and nothing of the control plane', () => {
    const parts = partsOf({ ...spec, index: 2 });
    const names = parts.map(({ name }) => name);
    expect(names).toEqual(['registry', 'containerd', 'policy-agent', 'kubelet', 'kube-proxy']);
    for (const { after } of parts) expect(names).toEqual(expect.arrayContaining([...after]));
    expect(partsOf(spec).map(({ name }) => name)).toContain('kube-apiserver');
  });

  test('has certificates of its own, and the others keep theirs', async () => {
    const { pki, etc } = layoutOf(state);
    await ensurePki(pki, certificatesOf(addressesOf(3)));
    const more = nodeCertificatesOf(addressesOf(3, 2));
    expect(await ensurePki(pki, [...certificatesOf(addressesOf(3)), ...more])).toEqual([
      'kubelet-server-2',
      'kubelet-2',
    ]);
    writeEtc(spec);
    writeEtc({ ...spec, index: 2 });
    const second = layoutOf(state, 2).etc;
    const kubeconfig = (folder: string) => parse(readFileSync(join(folder, 'kubelet.kubeconfig'), 'utf8'));
    // Both reach the API server of the first node.
    expect(kubeconfig(second).clusters).toEqual(kubeconfig(etc).clusters);
    expect(kubeconfig(second).users).not.toEqual(kubeconfig(etc).users);
    expect(parse(readFileSync(join(second, 'kubelet.yaml'), 'utf8'))).toMatchObject({
      address: '10.201.3.6',
      cgroupRoot: '/delos-mine.node-2',
      tlsCertFile: join(pki, 'kubelet-server-2.crt'),
    });
  });

  test('shares no mark and no cgroup with a node of an instance of a like name', () => {
    expect(cgroupOf('mine', 2)).not.toBe(cgroupOf('mine-2'));
    expect(nodeMarker('/s/mine', 2)).not.toBe(nodeMarker('/s/mine'));
  });
});

describe('the network of several nodes', () => {
  const all = [1, 2, 3].map((index) => addressesOf(3, index));

  test('the machine passes on between them what has an address of the node that it comes from, and nothing else', () => {
    const table = renderTable(all, []);
    const links = '{ "delos-3", "delos-3-2", "delos-3-3" }';
    expect(table).toContain(`iifname "delos-3-2" oifname ${links} ip saddr { 10.201.3.4/30, 10.204.3.0/24 } accept\n`);
    expect(table).toContain(`oifname ${links} drop\n`);
    expect(table).toContain(
      `iifname ${links} ip daddr { 10.202.3.0/24, 10.204.3.0/24, 10.205.3.0/24, 10.203.3.0/24 } reject`,
    );
  });

  test('the machine is closed to the Pods of each, and does not speak to Pods itself', () => {
    const table = renderTable(all, []);
    expect(table).toContain('iifname "delos-3-3" ip saddr 10.201.3.10 accept\n');
    expect(table).toContain('ip daddr { 10.202.3.0/24, 10.204.3.0/24, 10.205.3.0/24 } reject\n');
  });

  test('only a node that is cut off is shut', () => {
    expect(renderTable(all, [])).not.toContain('cut_');
    const table = renderTable(all, [], [2]);
    expect(table).toContain('iifname "delos-3-2" counter drop');
    expect(table).toContain('oifname "delos-3-2" counter drop');
  });

  test('a Pod keeps its address on the way to another node’s Pods, and only there', () => {
    const [first] = all;
    if (first === undefined) throw new Error('no node');
    expect(renderNodeTable(first, all.slice(1))).toContain(
      'ip saddr 10.202.3.0/24 ip daddr { 10.204.3.0/24, 10.205.3.0/24 } accept\n    ip saddr 10.202.3.0/24 oifname "eth0" snat to 10.202.3.1',
    );
    expect(renderNodeTable(first, [])).not.toContain('accept\n    ip saddr');
  });
});

describe('what is asked of nodes', () => {
  test('is one list each; a lost file asks nothing', () => {
    const path = join(state, 'wanted.json');
    expect(readWanted(path)).toEqual(NOTHING_WANTED);
    writeWanted(path, change(change(change(NOTHING_WANTED, 'stopped', 3, true), 'cut', 2, true), 'stopped', 2, true));
    expect(readWanted(path)).toEqual({ stopped: [2, 3], cut: [2] });
    expect(change(readWanted(path), 'stopped', 3, false)).toEqual({ stopped: [2], cut: [2] });
  });

  test('fits every node that there can be', () => {
    writeWanted(join(state, 'w'), change(NOTHING_WANTED, 'cut', MOST_NODES, true));
    expect(readWanted(join(state, 'w')).cut).toEqual([MOST_NODES]);
  });
});

describe('disks of several nodes', () => {
  const mode = (nodes: number) =>
    disks(nodes).find(({ object }) => object.kind === 'StorageClass')?.object.volumeBindingMode;
  const claim = (annotations: Record<string, string>) => ({
    metadata: {
      name: 'c',
      namespace: 'n',
      uid: 'u',
      finalizers: [],
      annotations: { 'volume.kubernetes.io/storage-provisioner': 'delos.dev/disks', ...annotations },
    },
    spec: { storageClassName: 'delos-disks', volumeName: '', resources: { requests: { storage: '8Mi' } } },
  });
  const SELECTED = 'volume.kubernetes.io/selected-node';

  test('are made where their first Pod goes; on one node at once', () => {
    expect([mode(1), mode(2)]).toEqual(['Immediate', 'WaitForFirstConsumer']);
  });

  test.each([
    [{}, ['node-1']],
    [{ [SELECTED]: 'node-2' }, ['node-2']],
    [{ [SELECTED]: 'node-9' }, []],
  ])('a claim with %j is one keeper’s', (annotations, keepers) => {
    const asked = ['node-1', 'node-2', 'node-3'].filter((node) => asksForVolume(claim(annotations), node));
    expect(asked).toEqual(keepers);
  });

  test('a volume is its own node’s', () => {
    const made = volumeManifest(claim({}), '/d', 'node-2');
    const volume = volumeShape.parse({ ...made, metadata: { ...(made.metadata as object), uid: 'v' } });
    expect(['node-1', 'node-2'].filter((node) => isOurs(volume, node))).toEqual(['node-2']);
  });
});
