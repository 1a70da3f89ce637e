import type { Synthesis } from '@delos/constructs';
import { z } from 'zod';
import { kindOf, selects, type Workload, workloadsOf } from './synthesized.ts';

const selector = z.object({
  matchLabels: z.record(z.string(), z.string()).default({}),
  matchExpressions: z.array(z.object({ key: z.string(), operator: z.literal('Exists') })).optional(),
});
const peer = z.strictObject({
  namespaceSelector: selector.optional(),
  podSelector: selector.optional(),
  ipBlock: z.object({ cidr: z.string() }).optional(),
});
const port = z.object({ port: z.number(), protocol: z.string() });
const policySchema = z.looseObject({
  metadata: z.looseObject({ name: z.string(), namespace: z.string() }),
  spec: z.object({
    podSelector: selector,
    policyTypes: z.array(z.string()),
    ingress: z.array(z.object({ from: z.array(peer).optional(), ports: z.array(port).default([]) })).default([]),
    egress: z.array(z.object({ to: z.array(peer).optional(), ports: z.array(port).default([]) })).default([]),
  }),
});
export type Policy = z.infer<typeof policySchema>;
export type Peer = z.infer<typeof peer>;

export const policiesOf = (synthesis: Synthesis): readonly Policy[] =>
  kindOf(synthesis, 'NetworkPolicy').map(({ manifest }) => policySchema.parse(manifest));

/** Label that the API server puts on each namespace. */
const NAME_LABEL = 'kubernetes.io/metadata.name';

/** The platform's own workloads that a peer of a policy in `namespace` means. */
export function workloadsOfPeer(
  synthesis: Synthesis,
  namespace: string,
  { namespaceSelector, podSelector, ipBlock }: Peer,
): readonly Workload[] {
  if (ipBlock !== undefined) return [];
  return workloadsOf(synthesis).filter(
    (workload) =>
      (namespaceSelector === undefined
        ? workload.namespace === namespace
        : selects(namespaceSelector.matchLabels, { [NAME_LABEL]: workload.namespace })) &&
      selects(podSelector?.matchLabels ?? {}, workload.labels),
  );
}

export const isDns = ({ namespaceSelector, podSelector }: Peer): boolean =>
  namespaceSelector?.matchLabels[NAME_LABEL] === 'kube-system' && podSelector?.matchLabels['k8s-app'] === 'kube-dns';

/** Jobs that have a port for HTTP; their own policies say which. */
export const isJobs = ({ namespaceSelector, podSelector }: Peer): boolean =>
  namespaceSelector?.matchExpressions?.[0]?.key === 'delos.dev/project' &&
  podSelector?.matchExpressions?.[0]?.key === 'delos.dev/http-port';

/** Policies that select a workload's Pods. */
export const policiesFor = (synthesis: Synthesis, workload: Workload): readonly Policy[] =>
  policiesOf(synthesis).filter(
    ({ metadata, spec }) =>
      metadata.namespace === workload.namespace && selects(spec.podSelector.matchLabels, workload.labels),
  );

/** `name:port` of all that a workload may connect to; `CIDR:port` where it is an address. */
export function egressOf(synthesis: Synthesis, name: string): readonly string[] {
  const workload = workloadsOf(synthesis).find((candidate) => candidate.name === name);
  if (workload === undefined) throw new Error(`there is no workload ${name}`);
  const rules = policiesFor(synthesis, workload).flatMap(({ metadata, spec }) =>
    spec.egress.map((rule) => ({ ...rule, namespace: metadata.namespace })),
  );
  return rules
    .flatMap(({ to, ports, namespace }) => {
      const names = (to ?? [{}]).flatMap((one) => {
        if (to === undefined) return ['anywhere'];
        if (one.ipBlock !== undefined) return [one.ipBlock.cidr];
        if (isDns(one)) return ['dns'];
        if (isJobs(one)) return ['jobs'];
        return workloadsOfPeer(synthesis, namespace, one).map((target) => target.name);
      });
      return names.flatMap((target) => ports.map(({ port: number }) => `${target}:${number}`));
    })
    .filter((entry, index, all) => all.indexOf(entry) === index)
    .sort();
}
