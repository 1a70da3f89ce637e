import { type Connection, connect } from '../kube/connect.ts';
import { isObject, type Json, type JsonObject, listAt, text } from '../kube/json.ts';
import { idOf, parseType, refOf } from '../provider/layout.ts';
import type { PendingOperation } from './state-file.ts';

/**
 * Of interrupted creations, those that reached the cluster: the object is there and a Pulumi provider wrote it. Only
 * these are taken into the state; another's object of the same name is left for the creation to refuse.
 */
export async function pendingImports(
  operations: readonly PendingOperation[],
  cluster: Connection,
  signal: AbortSignal,
): Promise<readonly { readonly urn: string; readonly id: string }[]> {
  const objects = operations.filter(({ resource }) => parseType(resource.type) !== undefined);
  if (objects.length === 0) return [];
  const client = await connect(cluster);
  const found = await Promise.all(
    objects.map(async ({ resource }) => {
      const inputs = JSON.parse(JSON.stringify(resource.inputs)) as Json;
      if (!isObject(inputs) || text(inputs, 'metadata', 'name') === '') return undefined;
      const live = await client.tryGet(refOf(inputs), signal).catch(() => undefined);
      return live !== undefined && isByPulumi(live) ? { urn: resource.urn, id: idOf(inputs) } : undefined;
    }),
  );
  return found.filter((item) => item !== undefined);
}

function isByPulumi(live: JsonObject): boolean {
  return listAt(live, 'metadata', 'managedFields').some((entry) =>
    text(entry, 'manager').startsWith('pulumi-kubernetes'),
  );
}
