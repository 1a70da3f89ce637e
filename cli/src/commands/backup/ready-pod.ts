import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';

const podList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]) }),
    }),
  ),
});

/** Pods by their names, in the order in which they are wanted, or all that have labels. */
export interface WantedPods {
  readonly names?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** The first of some Pods that is ready; undefined where none is. */
export async function readyPod(
  kube: Kube,
  namespace: string,
  { names, labels = {} }: WantedPods,
): Promise<string | undefined> {
  const selector = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const selected = selector.length === 0 ? [] : [`--selector=${selector.join(',')}`];
  const { items } = await kube.json(podList, ['get', 'pods', `--namespace=${namespace}`, ...selected]);
  const ready = items.flatMap(({ metadata, status }) =>
    status.conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True') ? [metadata.name] : [],
  );
  return names === undefined ? ready[0] : names.find((name) => ready.includes(name));
}
