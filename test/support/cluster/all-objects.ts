import { z } from 'zod';

/* What a cluster holds, told so that two moments of it can be compared. */

const metadata = z.looseObject({
  name: z.string(),
  namespace: z.string().optional(),
  ownerReferences: z
    .array(z.looseObject({ kind: z.string(), name: z.string(), controller: z.boolean().optional() }))
    .default([]),
});
const objects = z.object({ items: z.array(z.looseObject({ kind: z.string(), metadata })) });
type KubeObject = z.infer<typeof objects>['items'][number];

/** What comes and goes by itself on any cluster, and is nobody's. */
const FLEETING = /^(events|leases|componentstatuses|endpoints|endpointslices|pods\.metrics|nodes\.metrics)(\.|$)/;
/** Of an object's metadata, what the server counts and notes. */
const COUNTED = ['resourceVersion', 'generation', 'managedFields', 'uid', 'creationTimestamp'];

type Kubectl = (args: readonly string[]) => Promise<string>;

/** `KIND NAMESPACE/NAME` of each object of every kind → what it says: its labels, finalizers, taints and all but its status. */
export async function allObjects(kubectl: Kubectl): Promise<ReadonlyMap<string, string>> {
  return new Map((await listed(kubectl)).map((object) => [nameOf(object), contentOf(object)]));
}

/**
 * Names of all objects; one that is named by chance is told by its owner, or by what it is for. What a controller keeps of former states of
 * one owner is told once.
 */
export async function allNames(kubectl: Kubectl): Promise<readonly string[]> {
  const found = await listed(kubectl);
  const byName = new Map(found.map((object) => [nameOf(object), object]));
  const told = (object: KubeObject): string => {
    const owner = object.metadata.ownerReferences.find(({ controller }) => controller === true);
    if (owner === undefined) return `${object.kind} ${usedBy(object) ?? placeOf(object)}`;
    const above = byName.get(`${owner.kind} ${object.metadata.namespace ?? ''}/${owner.name}`);
    return `${object.kind} of ${above === undefined ? `${owner.kind} ${owner.name}` : told(above)}`;
  };
  const kept = found.filter(({ kind }) => FORMER.includes(kind)).map(told);
  return [...new Set(kept), ...found.filter(({ kind }) => !FORMER.includes(kind)).map(told)].sort();
}

const FORMER = ['ReplicaSet', 'ControllerRevision'];

/** Volumes and addresses of Services have names by chance. */
function usedBy({ kind, spec }: KubeObject): string | undefined {
  const { claimRef, parentRef } = uses.parse(spec ?? {});
  if (kind === 'PersistentVolume' && claimRef !== undefined) return `of claim ${claimRef.namespace}/${claimRef.name}`;
  if (kind === 'IPAddress' && parentRef !== undefined) return `of ${parentRef.namespace}/${parentRef.name}`;
  return undefined;
}

const named = z.object({ namespace: z.string(), name: z.string() });
const uses = z.object({ claimRef: named.optional(), parentRef: named.optional() });

async function listed(kubectl: Kubectl): Promise<readonly KubeObject[]> {
  const kinds = (await kubectl(['api-resources', '--verbs=list', '--output', 'name']))
    .split('\n')
    .filter((kind) => kind !== '' && !FLEETING.test(kind));
  const text = await kubectl(['get', kinds.join(','), '--all-namespaces', '--output', 'json', '--ignore-not-found']);
  return objects.parse(JSON.parse(text)).items;
}

const placeOf = ({ metadata: { namespace = '', name } }: KubeObject): string => `${namespace}/${name}`;
const nameOf = (object: KubeObject): string => `${object.kind} ${placeOf(object)}`;

function contentOf({ status: _, metadata: about, ...rest }: KubeObject): string {
  const kept = Object.entries(about).filter(([key]) => !COUNTED.includes(key));
  return JSON.stringify({ ...rest, metadata: Object.fromEntries(kept) });
}
