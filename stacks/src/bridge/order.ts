import type { Manifest, SynthesizedObject } from '@delos/constructs';
import { DelosError } from '@delos/core';
import { resourceName, typeToken } from './identity.ts';

/**
 * Objects in an order in which each comes after all it depends on: what the constructs say, the namespace it lies in,
 * and the definition of its kind. Otherwise the given order is kept.
 * @throws DelosError ERR_DEPLOY for a cycle, an unknown dependency or two objects of one identity.
 */
export function ordered(objects: readonly SynthesizedObject[]): readonly SynthesizedObject[] {
  const byId = new Map(objects.map((object) => [object.id, object]));
  refuseTwins(objects);
  const done = new Map<string, SynthesizedObject>();
  const visit = (object: SynthesizedObject, trail: readonly string[]): void => {
    if (done.has(object.id)) return;
    if (trail.includes(object.id)) {
      const cycle = [...trail.slice(trail.indexOf(object.id)), object.id].join(' → ');
      throw new DelosError('ERR_DEPLOY', `the objects wait for each other: ${cycle}`);
    }
    const dependsOn = dependencies(object, objects);
    for (const id of dependsOn) {
      const needed = byId.get(id);
      if (needed === undefined) throw new DelosError('ERR_DEPLOY', `${object.id} waits for ${id}, which is not there`);
      visit(needed, [...trail, object.id]);
    }
    done.set(object.id, { ...object, dependsOn });
  };
  for (const object of objects) visit(object, []);
  return [...done.values()];
}

function refuseTwins(objects: readonly SynthesizedObject[]): void {
  const seen = new Map<string, string>();
  for (const { id, manifest } of objects) {
    const identity = `${typeToken(manifest)} ${resourceName(manifest)}`;
    const other = seen.get(identity);
    if (other !== undefined) {
      throw new DelosError('ERR_DEPLOY', `${id} and ${other} are the same object: ${identity}`);
    }
    seen.set(identity, id);
  }
}

function dependencies(object: SynthesizedObject, objects: readonly SynthesizedObject[]): readonly string[] {
  const implied = objects.filter(
    ({ id, manifest }) =>
      id !== object.id && (isNamespaceOf(manifest, object.manifest) || defines(manifest, object.manifest)),
  );
  return [...new Set([...object.dependsOn, ...implied.map(({ id }) => id)])];
}

function isNamespaceOf(candidate: Manifest, object: Manifest): boolean {
  return candidate.kind === 'Namespace' && candidate.metadata.name === object.metadata.namespace;
}

function defines(candidate: Manifest, object: Manifest): boolean {
  if (candidate.kind !== 'CustomResourceDefinition') return false;
  const spec = candidate.spec as { group?: string; names?: { kind?: string } } | undefined;
  return spec?.names?.kind === object.kind && object.apiVersion.startsWith(`${spec?.group ?? ''}/`);
}

const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Pod']);

/**
 * Services whose own backends wait for them (a StatefulSet for its governing Service, say): to wait for their
 * endpoints first would never end.
 */
export function servicesBeforeTheirBackends(objects: readonly SynthesizedObject[]): ReadonlySet<string> {
  const byId = new Map(objects.map((object) => [object.id, object]));
  const before = new Set<string>();
  const collect = (object: SynthesizedObject, seen: Set<string>): Set<string> => {
    for (const id of object.dependsOn) {
      const next = byId.get(id);
      if (next === undefined || seen.has(id)) continue;
      seen.add(id);
      collect(next, seen);
    }
    return seen;
  };
  for (const workload of objects.filter(({ manifest }) => WORKLOADS.has(manifest.kind))) {
    for (const id of collect(workload, new Set())) {
      const service = byId.get(id)?.manifest;
      if (service?.kind === 'Service' && selects(service, workload.manifest)) before.add(id);
    }
  }
  return before;
}

function selects(service: Manifest, workload: Manifest): boolean {
  const selector = (service.spec as { selector?: Record<string, string> } | undefined)?.selector ?? {};
  const template = workload.spec as { template?: { metadata?: { labels?: Record<string, string> } } } | undefined;
  const labels = workload.kind === 'Pod' ? workload.metadata.labels : template?.template?.metadata?.labels;
  const pairs = Object.entries(selector);
  return (
    workload.metadata.namespace === service.metadata.namespace &&
    pairs.length > 0 &&
    pairs.every(([key, value]) => labels?.[key] === value)
  );
}
