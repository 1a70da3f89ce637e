import { createHash } from 'node:crypto';
import { isObject, type Json, type JsonObject, objectAt, type Path, text, without } from '@delos/kube';
import type { ObjectRef } from '../kube/object-client.ts';
import { withoutMark } from './mark.ts';
import { urnAtRoot } from './urn.ts';

/*
 * How an object lies in the state, exactly as the official provider keeps it, so that a stack can change hands.
 *   id       namespace/name, or name
 *   inputs   the object as it was asked for, after Check
 *   outputs  the live object, `__inputs`, `__initialApiVersion`, `__fieldManager`
 */
export const INPUTS = '__inputs';
export const INITIAL_API_VERSION = '__initialApiVersion';
export const FIELD_MANAGER = '__fieldManager';

/** Keys of CRD schemas that cannot be property names in SDKs: state has underscores, the cluster hyphens. */
const EXTENSION_KEYS = [
  'embedded_resource',
  'int_or_string',
  'list_map_keys',
  'list_type',
  'map_type',
  'preserve_unknown_fields',
  'validations',
] as const;
const TO_CLUSTER = new Map(
  EXTENSION_KEYS.map((key) => [`x_kubernetes_${key}`, `x-kubernetes-${key.replaceAll('_', '-')}`]),
);
const TO_STATE = new Map([...TO_CLUSTER].map(([state, cluster]) => [cluster, state]));

export function parseId(id: string): { readonly namespace: string | undefined; readonly name: string } {
  const [first = '', second] = id.split('/');
  return second === undefined ? { namespace: undefined, name: first } : { namespace: first, name: second };
}

export function idOf(object: JsonObject): string {
  const namespace = text(object, 'metadata', 'namespace');
  const name = text(object, 'metadata', 'name');
  return namespace === '' ? name : `${namespace}/${name}`;
}

export function refOf(object: JsonObject): ObjectRef {
  const namespace = text(object, 'metadata', 'namespace');
  return {
    apiVersion: text(object, 'apiVersion'),
    kind: text(object, 'kind'),
    name: text(object, 'metadata', 'name'),
    namespace: namespace === '' ? undefined : namespace,
  };
}

/** Kind and name as a person says it, e.g. `Deployment delos/keycloak`. */
export function sayRef(ref: ObjectRef): string {
  return `${ref.kind} ${ref.namespace === undefined ? '' : `${ref.namespace}/`}${ref.name}`;
}

/** `kubernetes:apps/v1:Deployment` → apps/v1 and Deployment; the group "core" is the empty one. */
export function parseType(type: string): { readonly apiVersion: string; readonly kind: string } | undefined {
  const match = /^kubernetes:([^:]+):([^:]+)$/.exec(type);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { apiVersion: match[1].replace(/^core\//, ''), kind: match[2] };
}

/**
 * The field manager of a resource that has none in the state yet. It follows from the URN: every run applies as the same,
 * also where the resource has moved under a parent in between.
 */
export function fieldManagerFor(urn: string): string {
  return `pulumi-kubernetes-${createHash('sha256').update(urnAtRoot(urn)).digest('hex').slice(0, 8)}`;
}

export function outputsOf(
  live: JsonObject,
  inputs: JsonObject,
  fieldManager: string,
  initialApiVersion: string,
): JsonObject {
  return {
    ...renamed(live, TO_STATE),
    [INPUTS]: inputs,
    [INITIAL_API_VERSION]: initialApiVersion,
    [FIELD_MANAGER]: fieldManager,
  };
}

/** The live object within outputs. */
export function liveOf(outputs: JsonObject): JsonObject {
  return without(without(without(outputs, INPUTS), INITIAL_API_VERSION), FIELD_MANAGER);
}

export function toCluster(object: JsonObject): JsonObject {
  return renamed(object, TO_CLUSTER);
}

export function toState(object: JsonObject): JsonObject {
  return renamed(object, TO_STATE);
}

function renamed(object: JsonObject, names: ReadonlyMap<string, string>): JsonObject {
  if (text(object, 'kind') !== 'CustomResourceDefinition') return object;
  const walk = (value: Json): Json => {
    if (Array.isArray(value)) return value.map((item: Json) => walk(item));
    if (!isObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [names.get(key) ?? key, walk(item)]));
  };
  const result = walk(object);
  return isObject(result) ? result : object;
}

/** Which outputs must be secret: what was secret in the inputs, and every value of a Secret. */
export function secretPaths(kind: string, apiVersion: string, inputSecrets: readonly Path[]): readonly Path[] {
  const values: readonly Path[] = kind === 'Secret' && apiVersion === 'v1' ? [['data'], ['stringData']] : [];
  const all = [...inputSecrets, ...values];
  return [...all, ...all.map((path) => [INPUTS, ...path])];
}

/** The desired part of a live object nobody has inputs for: without what the server and the provider alone write. */
export function importedInputs(live: JsonObject): JsonObject {
  const metadata = objectAt(withoutMark(live), 'metadata');
  const { uid, resourceVersion, generation, creationTimestamp, managedFields, selfLink, ...kept } = metadata;
  return { ...without(live, 'status'), metadata: kept };
}
