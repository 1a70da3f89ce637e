import { z } from 'zod';

/** Kubernetes: on a Node, its name. Volumes that lie on one node name it by this. */
export const HOSTNAME = 'kubernetes.io/hostname';

const expression = z.object({ key: z.string(), values: z.array(z.string()).default([]) });

/** Of a PersistentVolume: the nodes that it can be mounted on. */
export const nodeAffinity = z
  .object({
    required: z.object({
      nodeSelectorTerms: z.array(z.object({ matchExpressions: z.array(expression).default([]) })).default([]),
    }),
  })
  .optional();

/** Whether a volume lies on this node, by its name. */
export function liesOn(place: z.infer<typeof nodeAffinity>, node: string): boolean {
  return (place?.required.nodeSelectorTerms ?? []).some(({ matchExpressions }) =>
    matchExpressions.some(({ key, values }) => key === HOSTNAME && values.includes(node)),
  );
}
