import { DelosError } from '@delos/core';
import { ApiObject, App } from 'cdk8s';
import type { IConstruct } from 'constructs';
import { z } from 'zod';
import { secretSourcesOf } from './base/secret.ts';
import type { ServiceDescriptor } from './base/service.ts';
import type { DelosConfig } from './delos-config.ts';
import { Platform } from './platform.ts';
import type { Manifest, Synthesis, SynthesizedObject } from './synthesis.ts';
import type { SynthesisContext } from './synthesis-context.ts';

const manifestSchema: z.ZodType<Manifest> = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});

/**
 * Configuration in, the whole platform's objects out. Pure: the same input gives the same bytes in the same order, in
 * which everything stands behind what it waits for.
 *
 * @param services those of the list; left out: all
 * @see synthOf for a platform with parts of your own
 * @throws DelosError ERR_IMAGE_UNKNOWN when `context.images` lacks an image.
 */
export function synthesize(
  config: DelosConfig,
  context: SynthesisContext,
  services?: readonly ServiceDescriptor[],
): Synthesis {
  const app = new App();
  const platform = new Platform(app, 'platform', { config, context, ...(services === undefined ? {} : { services }) });
  return synthOf(platform);
}

/**
 * All objects of any construct tree, in an order in which everything stands behind what it waits for. For deployments, and
 * for tests of your own constructs.
 * @example
 * new Postgres(chart, 'postgres', { namespace });
 * const kinds = synthOf(chart).objects.map(({ manifest }) => manifest.kind);
 * @throws DelosError ERR_INTERNAL for two objects of one kind, namespace and name
 */
export function synthOf(root: IConstruct): Synthesis {
  const platforms = root.node.findAll().filter(isPlatform);
  const partOf = (id: string): string | undefined =>
    platforms.find(({ node }) => id.startsWith(`${node.path}/`))?.partOf(id);
  const objects = ordered(objectsUnder(root)).map((object) => {
    const part = partOf(object.id);
    return part === undefined ? object : { ...object, part };
  });
  const seen = new Map<string, string>();
  for (const { id, manifest } of objects) {
    const { namespace = '', name } = manifest.metadata;
    const address = [manifest.apiVersion.replace(/\/[^/]*$/, ''), manifest.kind, namespace, name].join(' ');
    const other = seen.get(address);
    if (other !== undefined) {
      const where = namespace === '' ? '' : ` in the namespace ${namespace}`;
      throw new DelosError('ERR_INTERNAL', `${other} and ${id} are both the ${manifest.kind} ${name}${where}`, {
        hint: 'give one of them another id or name',
      });
    }
    seen.set(address, id);
  }
  return { objects };
}

/**
 * The one object of a kind and name.
 * @example
 * const deployment = objectOf(synthOf(chart), 'Deployment', 'api');
 * @throws DelosError ERR_INTERNAL where there is none, or several in different namespaces and none was named
 */
export function objectOf(synthesis: Synthesis, kind: string, name: string, namespace?: string): SynthesizedObject {
  const found = synthesis.objects.filter(
    ({ manifest: { kind: each, metadata } }) =>
      each === kind && metadata.name === name && (namespace === undefined || metadata.namespace === namespace),
  );
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const there = synthesis.objects.filter(({ manifest }) => manifest.kind === kind);
  throw new DelosError('ERR_INTERNAL', `${found.length} objects are the ${kind} ${name}`, {
    hint: `of that kind there are: ${there.map(({ manifest }) => manifest.metadata.name).join(', ') || 'none'}`,
  });
}

/** cdk8s makes `instanceof` true for every Chart. */
const isPlatform = (construct: IConstruct): construct is Platform => 'partOf' in construct;

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
