import { setTimeout as sleep } from 'node:timers/promises';
import { DelosError, MANAGED_BY, PROJECT_FILES_PREFIX, PROJECT_LABEL, type Progress } from '@delos/core';
import type { Kube } from '../../instance/kube.ts';

const GONE_LIMIT = 180_000;
const JOBS = PROJECT_LABEL;
const MANAGED = Object.entries(MANAGED_BY)
  .map(([key, value]) => `${key}=${value}`)
  .join(',');
const NAMESPACES = `${PROJECT_LABEL},${MANAGED}`;

/**
 * Deletes what the agent made on a cluster that stays: jobs' Pods and, where the data is deleted too, the projects'
 * namespaces. It comes after the agent has gone, which would make them again.
 * @throws DelosError ERR_TIMEOUT naming what is still there
 */
export async function removeJobs(kube: Kube, deleteData: boolean, progress: Progress): Promise<void> {
  const what = deleteData ? ['namespaces', '--selector', NAMESPACES] : ['pods', '--all-namespaces', '--selector', JOBS];
  const left = async () => (await kube.text(['get', ...what, '--output', 'name'])).trim();
  if (deleteData) await removeVolumes(kube);
  if ((await left()) === '') return;
  await kube.text(['delete', ...what, '--wait=false']);
  const started = performance.now();
  for (;;) {
    const names = await left();
    if (names === '') return;
    const elapsed = performance.now() - started;
    if (elapsed > GONE_LIMIT) {
      throw new DelosError('ERR_TIMEOUT', `not gone after ${GONE_LIMIT / 1000} s: ${names.replaceAll('\n', ', ')}`, {
        hint: 'look at what holds them: ./delos kubectl describe NAME; the same command goes on',
      });
    }
    progress.step(`waiting until jobs and projects are deleted: ${names.split('\n').length} left`);
    await sleep(1000);
  }
}

/** Volumes of projects' files have no namespace, and go once their claims have gone. The files stay. */
async function removeVolumes(kube: Kube): Promise<void> {
  const names = (await kube.text(['get', 'persistentvolumes', '--selector', MANAGED, '--output', 'name']))
    .split('\n')
    .filter((name) => name.startsWith(`persistentvolume/${PROJECT_FILES_PREFIX}`));
  if (names.length > 0) await kube.text(['delete', ...names, '--wait=false', '--ignore-not-found']);
}
