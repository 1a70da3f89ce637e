import type { ClassData } from '@delos/core';
import { isObject, type JsonObject, type KubeClient, listAt, at as memberAt, text } from '@delos/kube';
import { classObject, type Run } from './objects.ts';
import { StorageFault, type WantedVolume } from './wanted.ts';

/** A class as the cluster has it, or as it was made for the check. */
export interface UsedClass {
  readonly name: string;
  readonly expands: boolean;
  /** Its volumes are made where their first Pod is. */
  readonly waitsForPod: boolean;
}

const CLASSES = '/apis/storage.k8s.io/v1/storageclasses';
const DRIVERS = '/apis/storage.k8s.io/v1/csidrivers';

/** StorageClasses of a cluster, and drivers of CSI. */
export interface ClassBook {
  /** @throws StorageFault for a class that is not there and that Delos does not make, and for one without its driver */
  use(wanted: WantedVolume, name: string): Promise<UsedClass>;
}

/** Reads them once. */
export async function classBook(client: KubeClient, run: Run, made: readonly ClassData[]): Promise<ClassBook> {
  const [classes, drivers] = await Promise.all(
    [CLASSES, DRIVERS].map(async (path) => listAt(await client.get(path), 'items').filter(isObject)),
  );
  const there = new Map((classes ?? []).map((each) => [text(each, 'metadata', 'name'), each]));
  const installed = (drivers ?? []).map((each) => text(each, 'metadata', 'name'));
  const names = [...there.keys(), ...made.map(({ name }) => name).filter((name) => !there.has(name))];

  return {
    async use({ key }, name) {
      const data = made.find((each) => each.name === name);
      const found = there.get(name);
      if (data === undefined && found === undefined) {
        const has = names.length === 0 ? 'the cluster has none' : `there are: ${names.join(', ')}`;
        throw new StorageFault(
          `there is no StorageClass ${name}`,
          `name another one in \`${key}\` (${has}), or have Delos make it by \`storageClasses\``,
        );
      }
      if (data?.csi === true && !installed.includes(data.provisioner)) {
        throw new StorageFault(
          `the cluster has no CSI driver ${data.provisioner}, which makes its volumes`,
          data.install,
        );
      }
      if (found !== undefined) return usedOf(name, found);
      if (data === undefined) throw new Error('unreachable');
      const own = `delos-check-${run.id}-${name}`.slice(0, 253);
      await client.apply(`${CLASSES}/${own}`, classObject(run, data, own));
      return { name: own, expands: data.expands, waitsForPod: data.waitsForPod };
    },
  };
}

const usedOf = (name: string, found: JsonObject): UsedClass => ({
  name,
  expands: memberAt(found, 'allowVolumeExpansion') === true,
  waitsForPod: text(found, 'volumeBindingMode') === 'WaitForFirstConsumer',
});
