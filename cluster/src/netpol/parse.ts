import { z } from 'zod';
import type {
  ContainerPort,
  NamespaceFacts,
  PodFacts,
  PolicyFacts,
  PolicyPeer,
  PolicyRule,
  Selector,
} from './facts.ts';
import { tryAddress } from './ipv4.ts';

const labels = z.record(z.string(), z.string()).nullish();
const protocol = z.enum(['TCP', 'UDP', 'SCTP']).nullish();

const metadata = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string().default(''),
  labels,
  creationTimestamp: z.string().nullish(),
});

const container = z.object({
  ports: z.array(z.object({ name: z.string().nullish(), protocol, containerPort: z.number().int() })).nullish(),
  restartPolicy: z.string().nullish(),
});

const podSchema = z.object({
  metadata: metadata.extend({ namespace: z.string() }),
  spec: z.object({
    hostNetwork: z.boolean().nullish(),
    terminationGracePeriodSeconds: z.number().int().nullish(),
    containers: z.array(container).default([]),
    initContainers: z.array(container).nullish(),
  }),
  status: z
    .object({
      phase: z.string().nullish(),
      podIP: z.string().nullish(),
      podIPs: z.array(z.object({ ip: z.string() })).nullish(),
    })
    .nullish(),
});

const namespaceSchema = z.object({ metadata });

const selectorSchema = z.object({
  matchLabels: labels,
  matchExpressions: z
    .array(
      z.object({
        key: z.string(),
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(z.string()).nullish(),
      }),
    )
    .nullish(),
});

const peerSchema = z.object({
  podSelector: selectorSchema.nullish(),
  namespaceSelector: selectorSchema.nullish(),
  ipBlock: z.object({ cidr: z.string(), except: z.array(z.string()).nullish() }).nullish(),
});

const ports = z
  .array(
    z.object({
      protocol,
      port: z.union([z.number().int(), z.string()]).nullish(),
      endPort: z.number().int().nullish(),
    }),
  )
  .nullish();
const peers = z.array(peerSchema).nullish();

const policySchema = z.object({
  metadata: metadata.extend({ namespace: z.string() }),
  spec: z.object({
    podSelector: selectorSchema.nullish(),
    policyTypes: z.array(z.string()).nullish(),
    ingress: z.array(z.object({ from: peers, ports })).nullish(),
    egress: z.array(z.object({ to: peers, ports })).nullish(),
  }),
});

/** @throws ZodError when it is not a Pod as the API serves it */
export function parsePod(object: unknown): PodFacts {
  const { metadata, spec, status } = podSchema.parse(object);
  const addresses = [status?.podIP, ...(status?.podIPs ?? []).map(({ ip }) => ip)];
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    labels: metadata.labels ?? {},
    ip: addresses.find((ip) => typeof ip === 'string' && tryAddress(ip) !== undefined) ?? undefined,
    hostNetwork: spec.hostNetwork ?? false,
    finished: status?.phase === 'Succeeded' || status?.phase === 'Failed',
    created: metadata.creationTimestamp ?? '',
    graceSeconds: spec.terminationGracePeriodSeconds ?? 30,
    ports: [...spec.containers, ...sidecars].flatMap((found): readonly ContainerPort[] =>
      (found.ports ?? []).flatMap(({ name, protocol, containerPort }) =>
        name ? [{ name, protocol: protocol ?? 'TCP', port: containerPort }] : [],
      ),
    ),
  };
}

/** @throws ZodError */
export function parseNamespace(object: unknown): NamespaceFacts {
  const { metadata } = namespaceSchema.parse(object);
  return { name: metadata.name, labels: metadata.labels ?? {} };
}

/** @throws ZodError */
export function parsePolicy(object: unknown): PolicyFacts {
  const { metadata, spec } = policySchema.parse(object);
  // The API server fills policyTypes in; without it, the defaults of the API's documentation.
  const types = spec.policyTypes ?? ['Ingress', ...(spec.egress == null ? [] : ['Egress'])];
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    selector: selector(spec.podSelector),
    ingress: types.includes('Ingress')
      ? (spec.ingress ?? []).map((rule) => policyRule(rule.from, rule.ports))
      : undefined,
    egress: types.includes('Egress') ? (spec.egress ?? []).map((rule) => policyRule(rule.to, rule.ports)) : undefined,
  };
}

/** A policy that cannot be understood isolates its namespace wholly: closed is the safe reading. */
export function sealing(namespace: string, name: string): PolicyFacts {
  return { namespace, name, selector: selector(undefined), ingress: [], egress: [] };
}

function policyRule(from: z.infer<typeof peers>, to: z.infer<typeof ports>): PolicyRule {
  return {
    peers: (from ?? []).map(peer),
    ports: (to ?? []).map(({ protocol, port, endPort }) => ({
      protocol: protocol ?? 'TCP',
      port: port ?? undefined,
      end: endPort ?? undefined,
    })),
  };
}

function peer({ podSelector, namespaceSelector, ipBlock }: z.infer<typeof peerSchema>): PolicyPeer {
  if (ipBlock != null) return { kind: 'block', cidr: ipBlock.cidr, except: ipBlock.except ?? [] };
  return {
    kind: 'pods',
    namespaces: namespaceSelector == null ? undefined : selector(namespaceSelector),
    pods: selector(podSelector),
  };
}

function selector(source: z.infer<typeof selectorSchema> | null | undefined): Selector {
  return {
    labels: source?.matchLabels ?? {},
    expressions: (source?.matchExpressions ?? []).map(({ key, operator, values }) => ({
      key,
      operator,
      values: values ?? [],
    })),
  };
}
