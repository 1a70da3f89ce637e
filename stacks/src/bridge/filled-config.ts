import { createHash } from 'node:crypto';
import type { SynthesizedObject } from '@delos/constructs';
import { OWN_PREFIX } from '@delos/core';
import { z } from 'zod';

/** `NAMESPACE/NAME` of a ConfigMap that is filled in here → a checksum of what it is filled with. */
export type Marks = ReadonlyMap<string, string>;

/** Object id → key → value, for keys that an object's manifest leaves out. */
export type SecretValues = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** Most programs read their authorities once, so that a Pod has to start anew where they change. */
const FILLED_ANNOTATION = `${OWN_PREFIX}filled-config`;

/** The ConfigMaps whose manifests leave data out. */
export function marksOf(objects: readonly SynthesizedObject[], values: SecretValues): Marks {
  return new Map(
    objects.flatMap(({ id, manifest: { kind, metadata } }) => {
      const filled = values.get(id);
      if (kind !== 'ConfigMap' || filled === undefined) return [];
      const checksum = createHash('sha256').update(JSON.stringify(filled)).digest('hex').slice(0, 16);
      return [[`${metadata.namespace ?? ''}/${metadata.name}`, checksum] as const];
    }),
  );
}

const annotations = z.record(z.string(), z.string());
const workload = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      metadata: z.looseObject({ annotations: annotations.default({}) }).default({ annotations: {} }),
      spec: z.looseObject({
        volumes: z.array(z.looseObject({ configMap: z.looseObject({ name: z.string() }).optional() })),
      }),
    }),
  }),
});

/** A workload, with the checksums of what it mounts; any other object as it is. */
export function marked(
  inputs: Record<string, unknown>,
  namespace: string | undefined,
  marks: Marks,
): Record<string, unknown> {
  if (marks.size === 0) return inputs;
  const parsed = workload.safeParse(inputs);
  if (!parsed.success) return inputs;
  const { spec } = parsed.data;
  const { template } = spec;
  const found = template.spec.volumes.flatMap(
    ({ configMap }) => marks.get(`${namespace ?? ''}/${configMap?.name}`) ?? [],
  );
  if (found.length === 0) return inputs;
  const metadata = {
    ...template.metadata,
    annotations: { ...template.metadata.annotations, [FILLED_ANNOTATION]: found.join('.') },
  };
  return { ...inputs, spec: { ...spec, template: { ...template, metadata } } };
}
