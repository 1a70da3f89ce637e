import { setTimeout as sleep } from 'node:timers/promises';
import { STORAGE_CHECK_LABEL } from '@delos/core';
import { isNotFound, isObject, type Json, type KubeClient, listAt, text } from '@delos/kube';

const NAMESPACES = '/api/v1/namespaces';
const VOLUMES = '/api/v1/persistentvolumes';
const CLASSES = '/apis/storage.k8s.io/v1/storageclasses';
/** What a run that is this old has left is nobody's any more: no run takes longer. */
const OLD_MS = 60 * 60_000;
const WAIT_MS = 120_000;

const labelled = async (client: KubeClient, path: string, labelSelector: string): Promise<readonly Json[]> =>
  listAt(await client.get(path, { labelSelector }), 'items').filter(isObject);

async function remove(client: KubeClient, path: string, name: string): Promise<void> {
  try {
    await client.delete(`${path}/${name}`);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/**
 * Takes away all that a run has made, and waits until it is gone, with the volumes that were made for it.
 * @returns names of what is still there at the end
 */
export async function sweepRun(client: KubeClient, run: string): Promise<readonly string[]> {
  const selector = `${STORAGE_CHECK_LABEL}=${run}`;
  const namespaces = (await labelled(client, NAMESPACES, selector)).map((each) => text(each, 'metadata', 'name'));
  const ours = (volume: Json): boolean => namespaces.includes(text(volume, 'spec', 'claimRef', 'namespace'));
  const isStatic = (volume: Json): boolean => text(volume, 'metadata', 'labels', STORAGE_CHECK_LABEL) === run;
  for (const name of namespaces) await remove(client, NAMESPACES, name);
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const volumes = listAt(await client.get(VOLUMES), 'items').filter((each) => ours(each) || isStatic(each));
    const left = await labelled(client, NAMESPACES, selector);
    if (left.length === 0) {
      for (const volume of volumes.filter(isStatic)) await remove(client, VOLUMES, text(volume, 'metadata', 'name'));
    }
    // A class goes last: some provisioners ask it how a volume is deleted.
    if (left.length === 0 && volumes.length === 0) {
      for (const each of await labelled(client, CLASSES, selector)) {
        await remove(client, CLASSES, text(each, 'metadata', 'name'));
      }
      return [];
    }
    if (Date.now() > end)
      return [...left, ...volumes].map((each) => `${kindOf(each)} ${text(each, 'metadata', 'name')}`);
    await sleep(500);
  }
}

const kindOf = (object: Json): string =>
  text(object, 'spec', 'persistentVolumeReclaimPolicy') === '' ? 'namespace' : 'volume';

/** Takes away what runs have left whose machine was lost with all that looked after them. */
export async function sweepOld(client: KubeClient, now: number): Promise<void> {
  const runs = new Set<string>();
  for (const path of [NAMESPACES, VOLUMES, CLASSES]) {
    for (const each of await labelled(client, path, STORAGE_CHECK_LABEL)) {
      const age = now - Date.parse(text(each, 'metadata', 'creationTimestamp'));
      if (age > OLD_MS) runs.add(text(each, 'metadata', 'labels', STORAGE_CHECK_LABEL));
    }
  }
  for (const run of runs) await sweepRun(client, run);
}
