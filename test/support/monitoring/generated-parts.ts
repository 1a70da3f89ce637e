import { engineContext, objectOf, parseConfig, type Synthesis, synthesize } from '@delos/constructs';
import { z } from 'zod';

/** What the platform's own manifests say of monitoring. */
export interface GeneratedParts {
  /** Text of a file that a service mounts. */
  file(service: string, name: string): string;
  /** Program and arguments of a service's container. */
  command(service: 'prometheus' | 'alertmanager' | 'node-exporter'): readonly string[];
  /** DNS name that answers with a service's Pods → port that they are asked at, by `job`. */
  readonly targets: ReadonlyMap<string, { readonly host: string; readonly port: number }>;
}

const data = z.record(z.string(), z.string());
const spec = z.object({
  template: z.object({ spec: z.object({ containers: z.tuple([z.object({ command: z.array(z.string()) })]) }) }),
});
const service = z.object({ ports: z.tuple([z.object({ port: z.number() })]) });
const KINDS = { prometheus: 'StatefulSet', alertmanager: 'StatefulSet', 'node-exporter': 'DaemonSet' } as const;

/** @param yaml a delos.yaml */
export function generatedParts(yaml: string): GeneratedParts {
  const config = parseConfig(yaml, 'delos.yaml');
  const synthesis = synthesize(config, engineContext(config, 'embedded'));
  return {
    file: (name, file) => data.parse(objectOf(synthesis, 'ConfigMap', name).manifest.data)[file] ?? '',
    command: (name) =>
      spec.parse(objectOf(synthesis, KINDS[name], name).manifest.spec).template.spec.containers[0].command,
    targets: new Map(targetsOf(synthesis)),
  };
}

function* targetsOf({ objects }: Synthesis): Iterable<[string, { readonly host: string; readonly port: number }]> {
  for (const { manifest } of objects) {
    const { name, namespace } = manifest.metadata;
    if (manifest.kind !== 'Service' || !name.endsWith('-metrics') || name === 'kube-state-metrics') continue;
    const { port } = service.parse(manifest.spec).ports[0];
    yield [name.replace(/-metrics$/, ''), { host: `${name}.${namespace}.svc.cluster.local`, port }];
  }
}
