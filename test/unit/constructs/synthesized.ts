import {
  engineContext,
  parseConfig,
  SERVICES,
  type Synthesis,
  type SynthesizedObject,
  sectionName,
  synthesize,
} from '@delos/constructs';
import { z } from 'zod';

/** What services are there for that a section of their own does not ask for: the way out, a certificate by ACME, and files. */
export const ASKED_ELSEWHERE = `domain: ai.example.com
gateway: {http: "on", tls: {acme: {acceptTerms: true}}}
storage: {directory: {path: /srv/files}}
network: {proxy: {http: "http://proxy.example.com:3128"}}
dns:
  addresses: [192.0.2.1]
  update: {server: ns.example.com, zone: example.com, key: {name: delos, secret: {file: /run/secrets/tsig}}}`;

/** A delos.yaml with every service of the list, those too that are off where nobody asks for them. */
export const EVERY_SERVICE = `${ASKED_ELSEWHERE}
services: {${SERVICES.filter(({ optional }) => optional === true)
  .map((service) => `${sectionName(service)}: {enabled: true}`)
  .join(', ')}}`;

/** The platform for a delos.yaml, against the context of a cluster of that engine. */
export function platformOf(yaml = '', engine = 'embedded'): Synthesis {
  const config = parseConfig(yaml, 'delos.yaml');
  return synthesize(config, engineContext(config, engine));
}

const envVar = z.looseObject({ name: z.string(), value: z.string().optional(), valueFrom: z.unknown().optional() });
const containerSchema = z.looseObject({
  name: z.string(),
  image: z.string(),
  env: z.array(envVar).default([]),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })).default([]),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })).default([]),
  securityContext: z
    .looseObject({ readOnlyRootFilesystem: z.boolean().optional(), runAsUser: z.number().optional() })
    .default({}),
  resources: z.object({
    requests: z.record(z.string(), z.string()),
    limits: z.record(z.string(), z.string()),
  }),
});
const podSchema = z.looseObject({
  serviceAccountName: z.string(),
  automountServiceAccountToken: z.boolean(),
  initContainers: z.array(containerSchema).default([]),
  containers: z.array(containerSchema),
  volumes: z
    .array(
      z.looseObject({
        name: z.string(),
        configMap: z.object({ name: z.string() }).optional(),
        secret: z.looseObject({ secretName: z.string(), defaultMode: z.number().optional() }).optional(),
      }),
    )
    .default([]),
});
const labels = z.record(z.string(), z.string());
const workloadSchema = z.looseObject({
  spec: z.looseObject({
    replicas: z.number().optional(),
    selector: z.object({ matchLabels: labels }),
    template: z.object({
      metadata: z.object({ labels, annotations: labels.default({}) }),
      spec: podSchema,
    }),
  }),
});

export interface Workload {
  readonly object: SynthesizedObject;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly selector: Readonly<Record<string, string>>;
  readonly replicas: number | undefined;
  readonly pod: z.infer<typeof podSchema>;
}

/** Everything that makes Pods. */
export function workloadsOf(synthesis: Synthesis): readonly Workload[] {
  return synthesis.objects
    .filter(({ manifest }) => ['Deployment', 'StatefulSet', 'DaemonSet'].includes(manifest.kind))
    .map((object) => {
      const { spec } = workloadSchema.parse(object.manifest);
      return {
        object,
        name: object.manifest.metadata.name,
        namespace: object.manifest.metadata.namespace ?? '',
        labels: spec.template.metadata.labels,
        annotations: spec.template.metadata.annotations,
        selector: spec.selector.matchLabels,
        replicas: spec.replicas,
        pod: spec.template.spec,
      };
    });
}

/** True where a set of labels has all of a selector's. */
export function selects(selector: Readonly<Record<string, string>>, of: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => of[key] === value);
}

export const kindOf = (synthesis: Synthesis, kind: string): readonly SynthesizedObject[] =>
  synthesis.objects.filter(({ manifest }) => manifest.kind === kind);
