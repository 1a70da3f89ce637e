import { DelosError } from '@delos/core';
import { ApiObject, App } from 'cdk8s';
import type { IConstruct } from 'constructs';
import { z } from 'zod';
import { secretSourcesOf } from './base/secret.ts';
import type { DelosConfig } from './config.ts';
import { Platform } from './platform.ts';
import type { Manifest, Synthesis, SynthesisContext, SynthesizedObject } from './synthesis.ts';

const manifestSchema: z.ZodType<Manifest> = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});

/**
 * Configuration in, the whole platform's objects out. Pure: the same input gives the same bytes in the same order, in
 * which everything stands behind what it waits for.
 *
 * @throws DelosError ERR_IMAGE_UNKNOWN when `context.images` lacks an image.
 */
export function synthesize(config: DelosConfig, context: SynthesisContext): Synthesis {
  const app = new App();
  const image = (name: string): string => {
    const reference = context.images[name];
    if (reference === undefined) throw new DelosError('ERR_IMAGE_UNKNOWN', `no reference for image ${name} was given`);
    return reference;
  };
  const platform = new Platform(app, 'platform', { config, context, image });
  const objects = objectsUnder(platform).map((object) => ({ ...object, part: platform.partOf(object.id) }));
  return { objects: ordered(objects) };
}

/** The objects of any construct tree, in the constructs' own order of dependencies. */
export function objectsUnder(root: IConstruct): readonly SynthesizedObject[] {
  const waits = new Map<string, Set<string>>();
  for (const construct of root.node.findAll()) {
    const objects = idsUnder(construct);
    const needed = construct.node.dependencies.flatMap(idsUnder);
    for (const id of objects) {
      const set = waits.get(id) ?? new Set();
      waits.set(id, set);
      for (const other of needed) if (!objects.includes(other)) set.add(other);
    }
  }
  return root.node
    .findAll()
    .filter(ApiObject.isApiObject)
    .map((object) => ({
      id: object.node.path,
      manifest: manifestSchema.parse(object.toJson()),
      dependsOn: [...(waits.get(object.node.path) ?? [])].sort(),
      secrets: secretSourcesOf(object),
    }));
}

const idsUnder = (construct: IConstruct): readonly string[] =>
  construct.node
    .findAll()
    .filter(ApiObject.isApiObject)
    .map((object) => object.node.path);

/** Dependencies first; among those that are free, by id, so that the order says nothing about a file's key order. */
function ordered(objects: readonly SynthesizedObject[]): readonly SynthesizedObject[] {
  const waiting = new Map([...objects].sort((a, b) => (a.id < b.id ? -1 : 1)).map((object) => [object.id, object]));
  const result: SynthesizedObject[] = [];
  while (waiting.size > 0) {
    const free = [...waiting.values()].filter(({ dependsOn }) => !dependsOn.some((id) => waiting.has(id)));
    if (free.length === 0) {
      throw new DelosError('ERR_INTERNAL', `objects wait for each other: ${[...waiting.keys()].join(', ')}`);
    }
    for (const object of free) {
      result.push(object);
      waiting.delete(object.id);
    }
  }
  return result;
}
