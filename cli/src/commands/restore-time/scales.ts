import { setTimeout as sleep } from 'node:timers/promises';
import { PLATFORM_NAMESPACE } from '@delos/constructs';
import { DelosError, NAME_LABEL } from '@delos/core';
import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import type { Kube } from '../../instance/kube.ts';
import type { Scale } from './record.ts';

const NAMESPACE = ['--namespace', PLATFORM_NAMESPACE] as const;
const STOP_LIMIT_MS = 300_000;
const START_SECONDS = 600;

const workloads = z.object({
  items: z.array(
    z.object({
      kind: z.enum(['Deployment', 'StatefulSet']),
      metadata: z.object({ name: z.string() }),
      spec: z.object({ replicas: z.number().default(1) }),
    }),
  ),
});
const pods = z.object({
  items: z.array(
    z.object({ metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }) }),
  ),
});

/** How many Pods each workload of the platform has. */
export async function scalesOf(kube: Kube): Promise<readonly Scale[]> {
  const { items } = await kube.json(workloads, ['get', 'deployments,statefulsets', ...NAMESPACE]);
  return items.map(({ kind, metadata, spec }) => ({ kind, name: metadata.name, replicas: spec.replicas }));
}

/** Lets these have no Pod, and waits until none is left. */
export async function stop(kube: Kube, { progress, signal }: CommandContext, scales: readonly Scale[]): Promise<void> {
  for (const { kind, name } of scales)
    await kube.text(['scale', `${kind.toLowerCase()}/${name}`, '--replicas=0', ...NAMESPACE]);
  const names = new Set(scales.map(({ name }) => name));
  for (const end = Date.now() + STOP_LIMIT_MS; ; ) {
    const { items } = await kube.json(pods, ['get', 'pods', ...NAMESPACE]);
    const left = items.filter(({ metadata }) => names.has(metadata.labels[NAME_LABEL] ?? ''));
    if (left.length === 0) return;
    const list = left.map(({ metadata }) => metadata.name).join(', ');
    if (Date.now() > end) {
      throw new DelosError('ERR_TIMEOUT', `${list} did not end within ${STOP_LIMIT_MS / 1000} s`, {
        hint: '`delos kubectl get pods --namespace delos` tells why; the same command goes on',
      });
    }
    progress.step(`waiting until ${list} ended`);
    await sleep(500, undefined, { signal });
  }
}

/** Lets these have so many Pods, and waits until all of them serve. */
export async function start(kube: Kube, scales: readonly Scale[]): Promise<void> {
  for (const { kind, name, replicas } of scales) {
    await kube.text(['scale', `${kind.toLowerCase()}/${name}`, `--replicas=${replicas}`, ...NAMESPACE]);
  }
  for (const { kind, name, replicas } of scales) {
    if (replicas === 0) continue;
    const wait = [
      'rollout',
      'status',
      `${kind.toLowerCase()}/${name}`,
      `--timeout=${START_SECONDS}s`,
      '--request-timeout=0',
    ];
    await kube.text([...wait, ...NAMESPACE]);
  }
}
