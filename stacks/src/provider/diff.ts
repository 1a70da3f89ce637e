import { ApiError, isImmutable } from '../kube/api-error.ts';
import { type JsonObject, text } from '../kube/json.ts';
import { ANY, type FieldType } from '../kube/schema.ts';
import { AUTONAMED } from './check.ts';
import { type Change, changes, comparable, renderPath } from './compare.ts';
import { withLiveValues } from './ignore-changes.ts';
import { refOf, toState } from './layout.ts';
import { apply, managerOf, type Work } from './operations.ts';
import { takenOver } from './ownership.ts';
import { type Mutability, mustReplace, replacesByChoice } from './replace-rules.ts';
import { hasUnknown } from './wire.ts';

export interface Difference {
  readonly changes: readonly Change[];
  readonly replaces: readonly Change[];
  readonly deleteBeforeReplace: boolean;
}

const NONE: Difference = { changes: [], replaces: [], deleteBeforeReplace: false };

/**
 * What an update would really change. Inputs that are the same need no question to the cluster (drift is what refresh
 * finds, and it shows in the old inputs). Otherwise the server is asked by a dry run: it knows its defaults, its normal
 * forms and the fields that cannot change.
 *
 * Where it cannot be asked, the difference of the inputs stands, and a table says which fields cannot change. The
 * types of the fields then tell which ways of writing mean the same. Without a schema every difference counts.
 */
export async function diff(
  old: { readonly inputs: JsonObject; readonly outputs: JsonObject },
  news: JsonObject,
  mutability: Mutability,
  work: Work,
): Promise<Difference> {
  if (changes(old.inputs, news).length === 0) return NONE;
  const { apiVersion, kind } = refOf(news);
  const type = (await work.client.schemas.of(apiVersion, kind)) ?? ANY;
  const asked = changes(old.inputs, news, type);
  const replacing = (replaces: readonly Change[]): Difference =>
    replaces.length === 0
      ? { ...NONE, changes: asked }
      : { changes: asked, replaces, deleteBeforeReplace: keepsFixedName(old.inputs, news) };

  const chosen = asked.filter((change) => replacesByChoice(apiVersion, kind, change.path, mutability));
  if (chosen.length > 0) return replacing(chosen);
  const byTable = (): Difference =>
    replacing(asked.filter(({ path }) => mustReplace(apiVersion, kind, path, mutability) || type.immutableAt(path)));
  if (hasUnknown(news)) return byTable();
  try {
    return await askServer(old.outputs, news, asked, type, work);
  } catch (error) {
    work.signal.throwIfAborted();
    if (isImmutable(error) && error instanceof ApiError) return replacing(refused(asked, error));
    const why = error instanceof ApiError ? `status ${error.status}` : String(error);
    work.report(`compared by the program's inputs alone: the server did not answer a dry run (${why})`);
    return byTable();
  }
}

async function askServer(
  oldOutputs: JsonObject,
  news: JsonObject,
  asked: readonly Change[],
  type: FieldType,
  work: Work,
): Promise<Difference> {
  const live = await work.client.tryGet(refOf(news), work.signal);
  if (live === undefined) return { ...NONE, changes: asked };
  const fieldManager = managerOf(oldOutputs, work);
  const sent = withLiveValues(news, toState(live), work.ignoreChanges ?? []);
  const result = await apply(sent, fieldManager, work, true);
  // A dry run cannot take ownership over first, and without that it keeps the fields that were left out.
  if (takenOver(live, fieldManager) !== undefined) return { ...NONE, changes: asked };
  return { ...NONE, changes: changes(comparable(toState(live)), comparable(toState(result)), type) };
}

/** The changes that the server's refusal names; all of them where it names none. */
function refused(asked: readonly Change[], error: ApiError): readonly Change[] {
  const fields = error.fields.map(({ field }) => field).filter((field) => field !== '' && field !== '<nil>');
  const named = asked.filter(({ path }) => {
    const shown = renderPath(path);
    return fields.some((field) => shown.startsWith(field) || field.startsWith(shown));
  });
  return named.length > 0 ? named : asked;
}

/**
 * Two objects cannot have one name: then the old one goes first. An object whose name was made up gets another, so that
 * all that refers to it can move over before the old one goes.
 */
function keepsFixedName(olds: JsonObject, news: JsonObject): boolean {
  const same = (['name', 'namespace'] as const).every(
    (key) => text(olds, 'metadata', key) === text(news, 'metadata', key),
  );
  return same && text(news, 'metadata', 'annotations', AUTONAMED) !== 'true';
}
