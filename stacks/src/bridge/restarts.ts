import type { Synthesis, SynthesizedObject } from '@delos/constructs';
import { OWN_PREFIX, REREADS_ANNOTATION } from '@delos/core';
import { z } from 'zod';
import { clientSteps, isRotated, serverSteps } from '../secrets/turn.ts';

/** On the Pods of a workload that reads its secrets at its start: how often what it read has become another. */
const ROTATED_ANNOTATION = `${OWN_PREFIX}rotated-secrets`;

const annotations = z.record(z.string(), z.string());
const workload = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      metadata: z.looseObject({ annotations: annotations.default({}) }).default({ annotations: {} }),
      spec: z.looseObject({
        volumes: z.array(z.looseObject({ secret: z.looseObject({ secretName: z.string() }).optional() })).default([]),
      }),
    }),
  }),
});

/**
 * The same objects. A workload that reads its secrets at its start gets other Pods where these have changed for it: the
 * server of a Secret where it accepts other values, a client where it shall show another. A secret that was never rotated changes nothing.
 * @param steps of each rotated secret, by its address
 */
export function restarting(synthesis: Synthesis, steps: Readonly<Record<string, number>>): Synthesis {
  if (Object.keys(steps).length === 0) return synthesis;
  const secrets = new Map(
    synthesis.objects
      .filter(({ manifest }) => manifest.kind === 'Secret')
      .map((object) => [placeOf(object, object.manifest.metadata.name), object]),
  );
  return { objects: synthesis.objects.map((object) => marked(object, secrets, steps)) };
}

function marked(
  object: SynthesizedObject,
  secrets: ReadonlyMap<string, SynthesizedObject>,
  steps: Readonly<Record<string, number>>,
): SynthesizedObject {
  const { manifest } = object;
  const parsed = workload.safeParse(manifest);
  if (!parsed.success || manifest.metadata.annotations?.[REREADS_ANNOTATION] === 'true') return object;
  const { spec } = parsed.data;
  const { template } = spec;
  const counts = template.spec.volumes.flatMap(({ secret }) => {
    const found = secret === undefined ? undefined : secrets.get(placeOf(object, secret.secretName));
    return found === undefined ? [] : countsOf(object, found, steps);
  });
  if (counts.every((count) => count === 0)) return object;
  const metadata = {
    ...template.metadata,
    annotations: { ...template.metadata.annotations, [ROTATED_ANNOTATION]: counts.join('.') },
  };
  return { ...object, manifest: { ...manifest, spec: { ...spec, template: { ...template, metadata } } } };
}

/** For each rotated key of a Secret: how often a workload had to read it again. */
function countsOf(
  object: SynthesizedObject,
  secret: SynthesizedObject,
  steps: Readonly<Record<string, number>>,
): readonly number[] {
  return Object.entries(secret.secrets).flatMap(([key, source]) => {
    if (!isRotated(source) || !('rotation' in source)) return [];
    const count = steps[`${placeOf(secret, secret.manifest.metadata.name)}/${key}`] ?? 0;
    if (object.part !== secret.part) return [clientSteps(count)];
    // PostgreSQL and Keycloak are told of it while they run.
    const told = source.rotation?.kind === 'role' || source.rotation?.kind === 'told';
    return told ? [] : [serverSteps(count)];
  });
}

const placeOf = ({ manifest }: SynthesizedObject, name: string): string =>
  `${manifest.metadata.namespace ?? ''}/${name}`;
