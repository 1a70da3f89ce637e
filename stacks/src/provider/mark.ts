import { RESOURCE_MARK } from '@delos/core';
import { isObject, type JsonObject, objectAt, text, without } from '@delos/kube';
import { urnAtRoot } from './urn.ts';

/*
 * The mark is an annotation on every object: the URN of the resource that applied it last. By it a resource knows its
 * object again when the run that created it was killed before the outcome was in the state. The field manager cannot
 * tell: the API server keeps none that owns no field, and so none for a Namespace or ServiceAccount of just a name, nor
 * for an object whose fields another has all set since.
 */

export function marked(object: JsonObject, urn: string): JsonObject {
  const metadata = objectAt(object, 'metadata');
  const annotations = { ...objectAt(metadata, 'annotations'), [RESOURCE_MARK]: urn };
  return { ...object, metadata: { ...metadata, annotations } };
}

/** The URN of the resource that an object belongs to; '' where none has marked it. */
export function markOf(live: JsonObject): string {
  return text(live, 'metadata', 'annotations', RESOURCE_MARK);
}

/** Whether this resource has marked the object; also before it moved under a parent, which changes its URN. */
export function isMarkedBy(live: JsonObject, urn: string): boolean {
  const mark = markOf(live);
  return mark === urn || mark === urnAtRoot(urn);
}

/** For comparisons and inputs: no program asks for the mark. */
export function withoutMark(object: JsonObject): JsonObject {
  const { annotations } = objectAt(object, 'metadata');
  if (!isObject(annotations) || !(RESOURCE_MARK in annotations)) return object;
  const kept = without(annotations, RESOURCE_MARK);
  const metadata = objectAt(object, 'metadata');
  return Object.keys(kept).length === 0
    ? { ...object, metadata: without(metadata, 'annotations') }
    : { ...object, metadata: { ...metadata, annotations: kept } };
}
