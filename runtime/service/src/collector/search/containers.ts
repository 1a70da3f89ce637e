import { join } from 'node:path';
import { NODE_NAMESPACE, PLATFORM_NAMESPACE } from '@delos/core';
import { tryPodFolder, tryReaddir } from '../log-files.ts';
import type { LineLabels } from './sink.ts';

/** A container whose lines can be searched. */
export interface SearchedContainer {
  /** The folder of its files. */
  readonly folder: string;
  readonly labels: LineLabels;
  /** Of a job: whose it is has to be asked. */
  readonly jobId: string | undefined;
}

const FOLDER = /^([a-z0-9-]+)_([a-z0-9.-]+)_([0-9A-Za-z-]+)$/;

/** Those of a node: containers of the platform's own Pods, and the container `main` of jobs. */
export async function containersIn(root: string, node: string): Promise<readonly SearchedContainer[]> {
  const found: SearchedContainer[] = [];
  for (const name of await tryReaddir(root)) {
    const job = tryPodFolder(name);
    const [, namespace = '', pod = '', uid = ''] = FOLDER.exec(name) ?? [];
    const own = namespace === PLATFORM_NAMESPACE || namespace === NODE_NAMESPACE;
    if (!own && job === undefined) continue;
    for (const container of own ? await tryReaddir(join(root, name)) : ['main']) {
      const labels = { node, namespace, pod, pod_uid: uid, container };
      found.push({
        folder: join(root, name, container),
        labels: own ? { ...labels, service: serviceOf(pod) } : labels,
        jobId: own ? undefined : job?.jobId,
      });
    }
  }
  return found;
}

/** Kubernetes' own letters for the ends of names: no vowels, nothing that looks like another. */
const RANDOM = '[bcdfghjklmnpqrstvwxz2456789]';
const END = new RegExp(`-(\\d+|(${RANDOM}{6,10}-)?${RANDOM}{5})$`);

/** The service that a Pod of the platform is of: its name without what its controller has appended. */
export const serviceOf = (pod: string): string => pod.replace(END, '');
