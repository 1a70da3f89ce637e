import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { storageChecks } from '@delos/cluster';
import { classesOf, parseConfig } from '@delos/constructs';
import { silent } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { wantedVolumes } from '../../../cli/src/instance/storage-checks.ts';
import { clusterOf, type TestCluster } from '../../support/cluster/cluster.ts';
import { TEST_INSTANCE } from '../../support/instance.ts';
import { killedAfter } from '../../support/killed-command.ts';
import { until } from '../../support/until.ts';

/* What `delos preflight --storage` does, on two embedded nodes: local-path, disks on loop devices, a folder that both nodes see. */

const INSTANCE = `${TEST_INSTANCE}-st`.slice(0, 20);
const HEAD = `cluster: {engine: embedded, embedded: {nodes: [default, default]}}
nodePools: [{name: default, maxSize: 2}]
`;
let home: string;
let folder: string;
let cluster: TestCluster;
const loops: string[] = [];

beforeAll(async () => {
  // No delos.yaml names a folder of /tmp.
  home = mkdtempSync('/srv/delos-storage-test-');
  folder = join(home, 'files');
  cluster = await clusterOf(INSTANCE, parseConfig(withFolder(), 'delos.yaml'));
});
afterAll(async () => {
  for (const loop of loops) execFileSync('losetup', ['-d', loop]);
  await cluster?.engine.down({ deleteData: true }, silent);
  rmSync(home, { recursive: true });
});

const withFolder = (path = folder, more = ''): string => `${HEAD}storage: {directory: {path: ${path}}}\n${more}`;

async function checked(yaml: string, options: { readonly limitMs?: number; readonly onThisMachine?: boolean } = {}) {
  const config = parseConfig(yaml, 'delos.yaml');
  const { kubeconfig, context } = cluster.handle;
  const checks = await storageChecks(
    { volumes: wantedVolumes(config, cluster.handle), made: classesOf(config.storageClasses) },
    {
      cluster: { kubeconfig, context },
      image: cluster.spec.images.localPathProvisioner,
      onThisMachine: true,
      signal: new AbortController().signal,
      ...options,
    },
  );
  await expectNothingLeft();
  return new Map(checks.map((each) => [each.id, each]));
}

async function traces(): Promise<readonly string[]> {
  const names = await cluster.kubectl(['get', 'namespaces,persistentvolumes,storageclasses', '-o', 'name']);
  return [
    ...names.split('\n').filter((name) => /check|persistentvolume/.test(name)),
    ...readdirSync(folder).filter((name) => name.startsWith('.delos-check')),
  ];
}
const expectNothingLeft = async () => expect(await traces()).toEqual([]);

describe('a check of storage', () => {
  test('binds, writes, and reads by other Pods on all nodes, and leaves nothing', async () => {
    const found = await checked(withFolder(folder, 'storageClasses: {localPath: [{name: folders, keep: true}]}'));
    expect(found.get('storage.files')).toMatchObject({
      ok: true,
      measured: expect.stringMatching(/: bound, written on node-[12], read and answered on node-1, node-2$/),
    });
    expect(found.get('storage.class.delos-disks')).toMatchObject({
      ok: true,
      measured: expect.stringMatching(
        /bound, written on node-[12], read by another Pod on .*holds a volume to its size/,
      ),
    });
    // A class of folders, the cluster's own and one that Delos makes: they work, and what they lack is told.
    for (const name of ['local-path', 'folders']) {
      expect(found.get(`storage.class.${name}`)).toMatchObject({
        ok: false,
        fatal: false,
        measured: expect.stringMatching(/read by another Pod on .*it holds no volume to its size/),
        fix: expect.stringContaining('OpenEBS LVM'),
      });
    }
    expect(found.size).toBe(4);
  });

  test('says of each thing that does not work what to change', async () => {
    const closed = join(home, 'closed');
    mkdirSync(closed, { mode: 0o755 });
    const found = await checked(
      withFolder(
        closed,
        `cluster: {engine: embedded, storageClass: none}
disks: {storageClass: fast}
storageClasses: {openebsLvm: [{name: fast, volumeGroup: vg0}]}`,
      ).replace(/^cluster: .*embedded: .*\n/, ''),
      { limitMs: 60_000 },
    );
    expect(found.get('storage.files')).toMatchObject({
      fatal: true,
      measured: expect.stringMatching(/cannot be written to: .*Permission denied \(on node node-[12]\)/),
      fix: `on the folder ${closed}: chown 60650:60650 and chmod 2770; on an NFS server, export it with rw and without all_squash`,
    });
    expect(found.get('storage.class.none')).toMatchObject({
      measured: 'there is no StorageClass none',
      fix: expect.stringMatching(
        /^name another one in `cluster.storageClass` \(there are: delos-disks, local-path, fast\)/,
      ),
    });
    expect(found.get('storage.class.fast')).toMatchObject({
      measured: 'the cluster has no CSI driver local.csi.openebs.io, which makes its volumes',
      fix: expect.stringContaining('Helm chart openebs'),
    });
  });

  test('says that a folder is missing on a node, with the kubelet’s words', async () => {
    const found = await checked(withFolder(join(home, 'nowhere')));
    expect(found.get('storage.files')).toMatchObject({
      measured: expect.stringContaining('hostPath type check failed'),
      fix: expect.stringMatching(/^make the folder .*nowhere on each node: mkdir -p/),
    });
  });

  test('says that nodes cannot mount NFS, whose client is not here', async () => {
    const found = await checked(`${HEAD}storage: {nfs: {server: 192.0.2.1, path: /exports}}\n`, { limitMs: 20_000 });
    expect(found.get('storage.files')).toMatchObject({ fatal: true, measured: expect.stringMatching(/FailedMount/) });
    expect(found.get('storage.files')?.fix).toContain('nfs-common');
  });

  test('says that a class of one node’s volumes is none for many nodes', async () => {
    const found = await checked(`${HEAD}storage: {claim: {storageClass: local-path}}\n`, { limitMs: 30_000 });
    expect(found.get('storage.files')).toMatchObject({
      fatal: true,
      measured: expect.stringMatching(/ProvisioningFailed: .*access mode/i),
      fix: expect.stringMatching(/volumes several nodes can mount/),
    });
  });

  test('is cleaned up also when it is killed', async () => {
    const file = join(home, 'delos.yaml');
    writeFileSync(file, withFolder());
    const kill = (milliseconds: number) =>
      killedAfter(['preflight', '--storage', '--config', file], /making a volume of each kind/, milliseconds, INSTANCE);
    for (const milliseconds of [1_500, 3_000, 6_000]) {
      await kill(milliseconds);
      await until('nothing is left of a killed check', 120, async (last) => {
        const left = await traces();
        last(left);
        return left.length === 0 ? true : undefined;
      });
    }
  });
});

/** A file of zeros as a block device. */
function loop(name: string): string {
  const file = join(home, `${name}.img`);
  writeFileSync(file, '');
  truncateSync(file, 64 * 2 ** 20);
  const device = execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim();
  loops.push(device);
  return device;
}

describe.each([
  ['by the machine’s own eyes', true],
  ['by a Pod on the node', false],
])('a device that an engine shall have whole is looked at %s', (_, onThisMachine) => {
  test('it is there, free and empty, or it says what is on it or who has it', async () => {
    const [empty, ext4, swap, mounted, theirs] = ['empty', 'ext4', 'swap', 'mounted', 'lvm'].map((name) => loop(name));
    execFileSync('mkfs.ext4', ['-q', ext4 ?? '']);
    execFileSync('mkswap', [swap ?? ''], { stdio: 'ignore' });
    execFileSync('mkfs.ext4', ['-q', mounted ?? '']);
    const mark = Buffer.alloc(2048);
    mark.write('LABELONE', 512);
    writeFileSync(theirs ?? '', mark, { flag: 'r+' });
    const place = join(home, 'mounted');
    mkdirSync(place, { recursive: true });
    // On the node as well: it has mounts of its own.
    const inNode = ['nsenter', '-t', String(cluster.processes().get(1)), '-m'];
    const mount = onThisMachine ? ['mount'] : [...inNode, 'mount'];
    execFileSync(mount[0] ?? '', [...mount.slice(1), mounted ?? '', place]);
    try {
      const devices = [empty, ext4, swap, mounted, theirs, '/dev/delos-none', '/dev/null'];
      const list = devices.map((path) => `{node: node-1, path: ${path}}`).join(', ');
      const found = await checked(
        `${HEAD}storageClasses: {topolvm: [{name: fast, devices: [${list}, {node: node-7, path: /dev/sda}]}]}`,
        { onThisMachine },
      );
      const said = devices.map((path) => found.get(`storage.device.node-1.${path?.slice(5)}`));
      expect(said.map((each) => [each?.ok, each?.measured.replace(/^\S+ on node-1: /, '')])).toEqual([
        [true, 'attached, free, empty, 0.1 GiB'],
        [false, 'it has data: ext2, ext3 or ext4'],
        [false, 'it has data: swap'],
        [false, expect.stringMatching(new RegExp(`^in use: mounted at ${place}`))],
        [true, 'attached, free, has the engine’s own mark (LVM2_member), 0.1 GiB'],
        [false, 'it is not there'],
        [false, 'it is no block device'],
      ]);
      expect(found.get('storage.device.node-7.sda')?.measured).toMatch(
        /there is no node node-7 \(there are: node-1, node-2\)/,
      );
    } finally {
      const unmount = onThisMachine ? ['umount'] : [...inNode, 'umount'];
      execFileSync(unmount[0] ?? '', [...unmount.slice(1), place]);
      for (const device of loops.splice(0)) execFileSync('losetup', ['-d', device]);
    }
  });
});
