import { at, isObject, type Json, type JsonObject, KubeError, type Path, text, withAt } from '@delos/kube';
import { comparable } from './compare.ts';
import { fieldManagerFor, refOf, toState } from './layout.ts';
import { absentWhenUnserved, apply, type Work } from './operations.ts';
import { hasUnknown, UNKNOWN } from './wire.ts';

/** Fields that only the creation gives: a dry run makes up others. A program sees them as not known yet. */
const MADE_AT_CREATION: readonly Path[] = [
  ...['uid', 'resourceVersion', 'creationTimestamp', 'generation', 'managedFields'].map((key) => ['metadata', key]),
  ...['clusterIP', 'clusterIPs', 'healthCheckNodePort'].map((key) => ['spec', key]),
];

/**
 * What an object would be that is not there yet, by a dry run of the server.
 * Where that cannot be had, the inputs stand: a value is not known yet, its namespace or kind is made by the same
 * program, or another object of this name goes first.
 * @throws KubeError for an object of Kubernetes' own that the server refuses
 */
export async function previewOfCreation(inputs: JsonObject, work: Work): Promise<JsonObject> {
  const shown = hasUnknown(inputs) ? inputs : await dryRun(inputs, work);
  const isService = text(inputs, 'kind') === 'Service' && text(inputs, 'apiVersion') === 'v1';
  const later = MADE_AT_CREATION.filter(([part]) => part === 'metadata' || isService).filter(
    (path) => at(inputs, ...path) === undefined,
  );
  const result = later.reduce<Json>((object, path) => withAt(object, path, UNKNOWN), shown);
  return isObject(result) ? result : shown;
}

async function dryRun(inputs: JsonObject, work: Work): Promise<JsonObject> {
  const existing = await work.client.tryGet(refOf(inputs), work.signal).catch(absentWhenUnserved);
  if (existing !== undefined) return inputs;
  try {
    return comparable(toState(await apply(inputs, fieldManagerFor(work.urn), work, true)));
  } catch (error) {
    work.signal.throwIfAborted();
    if (error instanceof KubeError && (await isWrong(error, inputs, work))) throw error;
    return inputs;
  }
}

/** A custom resource may be right for a definition that the same program changes; a port may be freed by it. */
async function isWrong(error: KubeError, inputs: JsonObject, work: Work): Promise<boolean> {
  if (error.status !== 422 || /already allocated/.test(error.message)) return false;
  const { apiVersion, kind } = refOf(inputs);
  const type = await work.client.schemas.of(apiVersion, kind);
  return type?.builtIn === true;
}
