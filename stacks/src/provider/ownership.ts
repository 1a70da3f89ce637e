import { isObject, type Json, type JsonObject, listAt, text } from '@delos/kube';
import { markOf } from './mark.ts';

/*
 * The API server keeps which manager set which field. Server-side apply removes a field that a program left out only
 * where no other manager owns it. The official provider creates objects by POST, so that its manager goes on owning
 * what it wrote; so do the commands of kubectl for an object that was imported. Before our first apply their entries
 * become ours, as client-go's csaupgrade does it.
 */

const PULUMI = /^pulumi-kubernetes(-[0-9a-f]+)?$/;
const KUBECTL = /^(kubectl($|-)|before-first-apply$)/;

/**
 * The object's managed fields with the entries of its former managers handed over to `fieldManager`. Undefined where
 * there is nothing to hand over.
 */
export function takenOver(live: JsonObject, fieldManager: string): readonly JsonObject[] | undefined {
  const entries = listAt(live, 'metadata', 'managedFields').filter(isObject);
  const former = entries.filter((entry) => isFormer(entry, isAdopted(live, entries)));
  if (former.length === 0) return undefined;
  const rest = entries.filter((entry) => !former.includes(entry));
  const own = rest.find((entry) => text(entry, 'manager') === fieldManager && text(entry, 'operation') === 'Apply');
  const base = own ?? former[0];
  if (base === undefined) return undefined;
  // Fields of another version of the API have other names: as csaupgrade does, these entries are given up.
  const sameVersion = former.filter((entry) => text(entry, 'apiVersion') === text(base, 'apiVersion'));
  const fieldsV1 = [base, ...sameVersion].reduce<JsonObject>((all, entry) => union(all, entry.fieldsV1), {});
  const ours = { ...base, manager: fieldManager, operation: 'Apply', fieldsV1 };
  return [ours, ...rest.filter((entry) => entry !== own)];
}

function isFormer(entry: JsonObject, adopted: boolean): boolean {
  if (text(entry, 'operation') !== 'Update' || text(entry, 'subresource') !== '') return false;
  const manager = text(entry, 'manager');
  return PULUMI.test(manager) || (adopted && KUBECTL.test(manager));
}

/**
 * True where no Pulumi provider has had the object before. On an object that one has, kubectl's entries are changes that
 * a person made beside it (`kubectl rollout restart`), and these stay.
 */
function isAdopted(live: JsonObject, entries: readonly JsonObject[]): boolean {
  return markOf(live) === '' && !entries.some((entry) => PULUMI.test(text(entry, 'manager')));
}

/** Sets of fields are trees of keys: the union has the keys of both. */
function union(a: Json | undefined, b: Json | undefined): JsonObject {
  const result: Record<string, Json> = isObject(a) ? { ...a } : {};
  for (const [key, value] of Object.entries(isObject(b) ? b : {})) result[key] = union(result[key], value);
  return result;
}
