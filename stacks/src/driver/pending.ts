import { isObject, type Json, type JsonObject, type KubeconfigChoice, listAt, text } from '@delos/kube';
import { connect, type ObjectClient } from '../kube/object-client.ts';
import { idOf, parseType, refOf, sayRef } from '../provider/layout.ts';
import { markOf } from '../provider/mark.ts';
import { remove } from '../provider/operations.ts';
import { urnAtRoot } from '../provider/urn.ts';
import type { Checkpoint, PendingOperation } from './state-file.ts';

/*
 * A *pending creation* is one that a killed engine had begun: in the state there is its intent, and whether it took
 * place only the cluster knows. What our provider made carries its resource's mark: the next update takes it up by
 * itself, and what it does not ask for any more is a *leftover*. The official provider leaves no mark and refuses an
 * object that is there: what it made is imported first. (The engine's own `refresh --import-pending-creates` drops what
 * it is told to import, as of 3.259.)
 */

interface Creation {
  readonly urn: string;
  readonly type: string;
  readonly id: string;
  readonly provider: string;
  readonly live: JsonObject;
}

export interface PendingWork {
  readonly cluster: KubeconfigChoice;
  readonly signal: AbortSignal;
  readonly report: (message: string) => void;
}

const isCreation = ({ type, resource }: PendingOperation): boolean =>
  type === 'creating' && parseType(resource.type) !== undefined;

export function hasPendingCreations(checkpoint: Checkpoint): boolean {
  return checkpoint.pending.some(({ type }) => type === 'creating');
}

/** Pending creations that took place and that no later run has brought into the state. */
async function tookPlace(
  checkpoint: Checkpoint,
  client: ObjectClient,
  signal: AbortSignal,
): Promise<readonly Creation[]> {
  // A resource that has moved under a parent since was begun without one.
  const known = new Set(checkpoint.resources.flatMap(({ urn }) => [urn, urnAtRoot(urn)]));
  const unknown = new Map(
    checkpoint.pending.filter(isCreation).map(({ resource }) => [resource.urn, resource] as const),
  );
  const looked = await Promise.all(
    [...unknown.values()]
      .filter(({ urn }) => !known.has(urn))
      .map(async ({ urn, type, provider, inputs }) => {
        const asked = JSON.parse(JSON.stringify(inputs)) as Json;
        if (!isObject(asked) || text(asked, 'metadata', 'name') === '') return undefined;
        const live = await client.tryGet(refOf(asked), signal);
        return live === undefined ? undefined : { urn, type, provider, live, id: idOf(asked) };
      }),
  );
  return looked.filter((creation) => creation !== undefined);
}

/** What the official provider made: content of a file for `pulumi import`; undefined where there is nothing. */
export async function importOfUnmarked(checkpoint: Checkpoint, work: PendingWork): Promise<string | undefined> {
  if (!checkpoint.pending.some(isCreation)) return undefined;
  const made = await tookPlace(checkpoint, await connect(work.cluster), work.signal);
  const unmarked = made.filter(({ live }) => markOf(live) === '' && isByPulumi(live));
  if (unmarked.length === 0) return undefined;
  // A provider's reference is its URN and its id.
  const providerUrns = [...new Set(unmarked.map(({ provider }) => provider.slice(0, provider.lastIndexOf('::'))))];
  const nameTable = Object.fromEntries(providerUrns.map((urn, index) => [`provider${index}`, urn]));
  const resources = unmarked.map(({ urn, type, id, provider }) => ({
    type,
    id,
    name: urn.split('::').slice(3).join('::'),
    provider: `provider${providerUrns.findIndex((known) => provider.startsWith(known))}`,
  }));
  return JSON.stringify({ nameTable, resources });
}

function isByPulumi(live: JsonObject): boolean {
  return listAt(live, 'metadata', 'managedFields').some((entry) =>
    text(entry, 'manager').startsWith('pulumi-kubernetes'),
  );
}

/**
 * After a complete run: deletes what pending creations made and the run did not ask for.
 * @param keep kinds that stay on the cluster
 * @returns false where something was kept, whose record must stay for a later run to know it by
 */
export async function removeLeftovers(
  checkpoint: Checkpoint,
  keep: readonly string[],
  work: PendingWork,
): Promise<boolean> {
  if (!checkpoint.pending.some(isCreation)) return true;
  const client = await connect(work.cluster);
  const leftovers = (await tookPlace(checkpoint, client, work.signal)).filter(({ urn, live }) => markOf(live) === urn);
  const kept = leftovers.filter(({ live }) => keep.includes(text(live, 'kind')));
  await Promise.all(
    leftovers
      .filter((leftover) => !kept.includes(leftover))
      .map(({ urn, type, id, live }) => {
        const report = (message: string): void => work.report(`${sayRef(refOf(live))}: ${message}`);
        return remove(id, type, live, { client, urn, signal: work.signal, timeout: 0, report });
      }),
  );
  return kept.length === 0;
}
