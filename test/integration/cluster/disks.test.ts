import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loopsOf } from '../../../cluster/src/disks/loops.ts';
import { DISK_CLASS } from '../../../cluster/src/disks/names.ts';
import { layoutOf } from '../../../cluster/src/embedded/spec.ts';
import { type TestCluster, testCluster } from '../../support/cluster/cluster.ts';
import { killNodePart } from '../../support/cluster/node.ts';
import { until } from '../../support/until.ts';

/* Disks of the embedded node, as claims and Pods see them. */

const NAMESPACE = 'disks-test';
let cluster: TestCluster;
let images: string;

beforeAll(async () => {
  cluster = await testCluster();
  images = layoutOf(cluster.paths.state).disks;
  await cluster.kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=true']);
  await cluster.kubectl(['create', 'namespace', NAMESPACE]);
});
afterAll(async () => {
  await cluster.kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=true']);
});

const inside = (args: readonly string[], input?: string) => cluster.kubectl(['-n', NAMESPACE, ...args], input);
const apply = (object: unknown) => inside(['apply', '-f', '-'], JSON.stringify(object));
const claim = (name: string, storage: string) =>
  apply({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: DISK_CLASS, resources: { requests: { storage } } },
  });
const bound = (name: string) =>
  inside(['wait', `pvc/${name}`, '--for=jsonpath={.status.phase}=Bound', '--timeout=60s']);
const volumeOf = (name: string) => inside(['get', 'pvc', name, '-o', 'jsonpath={.spec.volumeName}']);
const pod = (name: string, disk: string, script: string, spec: object = {}) =>
  apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'main',
          image: cluster.spec.images.localPathProvisioner,
          command: ['sh', '-c', script],
          volumeMounts: [{ name: 'disk', mountPath: '/mnt' }],
        },
      ],
      volumes: [{ name: 'disk', persistentVolumeClaim: { claimName: disk } }],
      ...spec,
    },
  });
const done = (name: string) =>
  inside(['wait', `pod/${name}`, '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s']);

/** Nothing of a volume is left: not in the cluster, not on the machine. */
const gone = (volume: string): Promise<true> =>
  until(`nothing is left of ${volume}`, 60, async (last) => {
    const files = existsSync(images) ? readdirSync(images).filter((file) => file.startsWith(volume)) : [];
    const known = await cluster.kubectl(['get', 'pv', volume, '--ignore-not-found', '-o', 'name']);
    last([files, known]);
    return files.length === 0 && known === '' ? true : undefined;
  });

describe('a claim of the class of disks', () => {
  test('gets a disk of its size, which any user may write to, and which is full at that size', async () => {
    await claim('data', '32Mi');
    await bound('data');
    const script = [
      'set -e',
      '/bin/busybox dd if=/dev/zero of=/mnt/most bs=1048576 count=31 2>/dev/null',
      'if said=$(/bin/busybox dd if=/dev/zero of=/mnt/more bs=1048576 count=8 2>&1); then exit 1; fi',
      'echo "$said" | /bin/busybox grep -o "No space left on device"',
      '/bin/busybox rm /mnt/more',
      '/bin/busybox stat -c %u:%g /mnt/most',
    ].join('\n');
    await pod('writer', 'data', script, { securityContext: { runAsUser: 54321, runAsGroup: 54321, fsGroup: 60690 } });
    await done('writer');
    expect(await inside(['logs', 'writer'])).toMatch(/No space left on device\n54321:60690\n$/);
    await pod('reader', 'data', 'test -s /mnt/most');
    await done('reader');
  });

  test('takes nothing with it but its own disk: image, loop device and volume go with the claim', async () => {
    const volume = await volumeOf('data');
    expect(readdirSync(images)).toContain(`${volume}.img`);
    await claim('other', '8Mi');
    await bound('other');
    // Kubernetes keeps the claim as long as a Pod has it.
    await inside(['delete', 'pod', 'writer', 'reader', '--wait=true']);
    await inside(['delete', 'pvc', 'data', '--wait=true']);
    await gone(volume);
    const other = await volumeOf('other');
    expect(readdirSync(images)).toContain(`${other}.img`);
    await inside(['delete', 'pvc', 'other', '--wait=true']);
    await gone(other);
  });

  test('that is larger than the machine’s free disk waits, and says why', async () => {
    await claim('huge', '900Ti');
    const said = await until('the claim is told why', 30, async () => {
      const events = await inside([
        'get',
        'events',
        '-o',
        'jsonpath={range .items[*]}{.reason} {.message}{"\\n"}{end}',
      ]);
      return /^ProvisioningFailed (.*)$/m.exec(events)?.[1];
    });
    expect(said).toMatch(
      /^the machine has .* GiB of free disk, of which 5\.0 GiB are kept for the platform: .* have no room$/,
    );
    await inside(['delete', 'pvc', 'huge', '--wait=true']);
    expect(readdirSync(images).filter((file) => !file.endsWith('.img'))).toEqual([]);
  });

  test('gets and loses its disk though the keeper is killed again and again', async () => {
    const names = ['k1', 'k2', 'k3', 'k4'];
    let ended = false;
    const killing = (async () => {
      while (!ended) {
        killNodePart(cluster.paths, 'disks');
        await sleep(350);
      }
    })();
    await Promise.all(names.map((name) => claim(name, '8Mi')));
    await sleep(4_000);
    ended = true;
    await killing;
    await Promise.all(names.map(bound));
    const volumes = await Promise.all(names.map(volumeOf));
    expect(new Set(volumes).size).toBe(names.length);
    expect(loopsOf(images).length).toBeGreaterThanOrEqual(names.length);
    ended = false;
    const again = (async () => {
      while (!ended) {
        killNodePart(cluster.paths, 'disks');
        await sleep(350);
      }
    })();
    await inside(['delete', 'pvc', ...names, '--wait=true']);
    await sleep(3_000);
    ended = true;
    await again;
    for (const volume of volumes) await gone(volume);
    await until('no loop device is left', 20, async (last) => {
      last(loopsOf(images));
      return loopsOf(images).length === readdirSync(images).length ? true : undefined;
    });
  });

  test('whose volume somebody deletes loses nothing while it has it, and leaves nothing when it goes', async () => {
    await claim('kept', '8Mi');
    await bound('kept');
    const volume = await volumeOf('kept');
    await cluster.kubectl(['delete', 'pv', volume, '--wait=false']);
    await pod('still', 'kept', 'echo there > /mnt/file');
    await done('still');
    expect(existsSync(join(images, `${volume}.img`))).toBe(true);
    await inside(['delete', 'pod', 'still', '--wait=true']);
    await inside(['delete', 'pvc', 'kept', '--wait=true']);
    await gone(volume);
  });
});
