import { ApiError } from '../kube/api-error.ts';
import { type JsonObject, objectAt, without } from '../kube/json.ts';
import { comparable } from './compare.ts';
import { fieldManagerFor, refOf, toState } from './layout.ts';
import { absentWhenUnserved, apply, type Work } from './operations.ts';
import { hasUnknown } from './wire.ts';

/** Fields that are made up anew at each creation: the dry run's are not those of the real object. */
const MADE_UP: readonly (readonly string[])[] = [
  ['spec', 'clusterIP'],
  ['spec', 'clusterIPs'],
  ['spec', 'healthCheckNodePort'],
];

/**
 * What an object would be that is not there yet, by a dry run of the server.
 * Where that cannot be had, the inputs stand: a value is not known yet, its namespace or kind is made by the same
 * program, or another object of this name goes first.
 * @throws ApiError for an object of Kubernetes' own that the server refuses
 */
export async function previewOfCreation(inputs: JsonObject, work: Work): Promise<JsonObject> {
  if (hasUnknown(inputs)) return inputs;
  const ref = refOf(inputs);
  const existing = await work.client.tryGet(ref, work.signal).catch(absentWhenUnserved);
  if (existing !== undefined) return inputs;
  try {
    const result = comparable(toState(await apply(inputs, fieldManagerFor(work.urn), work, true)));
    const shown = MADE_UP.reduce<JsonObject>((object, path) => without(object, ...path), result);
    return { ...shown, metadata: { ...objectAt(shown, 'metadata') } };
  } catch (error) {
    work.signal.throwIfAborted();
    if (error instanceof ApiError && (await isWrong(error, inputs, work))) throw error;
    return inputs;
  }
}

/** A custom resource may be right for a definition that the same program changes; a port may be freed by it. */
async function isWrong(error: ApiError, inputs: JsonObject, work: Work): Promise<boolean> {
  if (error.status !== 422 || /already allocated/.test(error.message)) return false;
  const { apiVersion, kind } = refOf(inputs);
  const type = await work.client.schemas.of(apiVersion, kind);
  return type?.builtIn === true;
}
