import { type JsonObject, KubeError, text } from '@delos/kube';
import { isImmutable } from '../kube/refusal.ts';
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
  /**
   * Whether a replacement has to delete first. Said also where nothing here asks for one: the option `replaceOnChanges`
   * may, or a replacement that was cut short after its first half.
   */
  readonly deleteBeforeReplace: boolean;
}

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
  const deleteBeforeReplace = keepsFixedName(old.inputs, news);
  if (changes(old.inputs, news).length === 0) return { changes: [], replaces: [], deleteBeforeReplace };
  const { apiVersion, kind } = refOf(news);
  const type = (await work.client.schemas.of(apiVersion, kind)) ?? ANY;
  const asked = changes(old.inputs, news, type);
  const replacing = (replaces: readonly Change[]): Difference => ({ changes: asked, replaces, deleteBeforeReplace });

  const chosen = asked.filter((change) => replacesByChoice(apiVersion, kind, change.path, mutability));
  if (chosen.length > 0) return replacing(chosen);
  const byTable = (): Difference =>
    replacing(asked.filter(({ path }) => mustReplace(apiVersion, kind, path, mutability) || type.immutableAt(path)));
  if (hasUnknown(news)) return byTable();
  try {
    const found = await askServer(old.outputs, news, type, work);
    if (found === 'another object') return byTable();
    return { changes: found ?? asked, replaces: [], deleteBeforeReplace };
  } catch (error) {
    work.signal.throwIfAborted();
    if (isImmutable(error)) return replacing(refused(asked, error));
    const why = error instanceof KubeError ? `status ${error.status}` : String(error);
    work.report(`compared by the program's inputs alone: the server did not answer a dry run (${why})`);
    return byTable();
  }
}

/** What a dry run would change; undefined where it cannot tell, since the object is not there or not ours yet. */
async function askServer(
  oldOutputs: JsonObject,
  news: JsonObject,
  type: FieldType,
  work: Work,
): Promise<readonly Change[] | 'another object' | undefined> {
  const live = await work.client.tryGet(refOf(news), work.signal);
  if (live === undefined) return undefined;
  // A run that was killed in the middle of a replacement has made the new object, and the state knows the old one.
  const known = text(oldOutputs, 'metadata', 'uid');
  if (known !== '' && known !== text(live, 'metadata', 'uid')) return 'another object';
  const fieldManager = managerOf(oldOutputs, work);
  const sent = withLiveValues(news, toState(live), work.ignoreChanges ?? []);
  const result = await apply(sent, fieldManager, work, true);
  // A dry run cannot take ownership over first, and without that it keeps the fields that were left out.
  if (takenOver(live, fieldManager) !== undefined) return undefined;
  return changes(comparable(toState(live)), comparable(toState(result)), type);
}

/** The changes that the server's refusal names; all of them where it names none. */
function refused(asked: readonly Change[], error: KubeError): readonly Change[] {
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
