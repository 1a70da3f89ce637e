import { equal, isKubeError, isNotFound, type JsonObject, KubeError, text } from '@delos/kube';
import { limitSeconds, type Outcome, problemNow, skipsAwait, untilGone, untilReady } from '../await/wait.ts';
import type { ObjectClient, ObjectRef } from '../kube/object-client.ts';
import { isImmutable, withoutValues } from '../kube/refusal.ts';
import { inputsFromLive } from './drift.ts';
import { withLiveValues } from './ignore-changes.ts';
import {
  FIELD_MANAGER,
  fieldManagerFor,
  INITIAL_API_VERSION,
  importedInputs,
  parseId,
  parseType,
  refOf,
  sayRef,
  toCluster,
  toState,
} from './layout.ts';
import { isMarkedBy, marked } from './mark.ts';
import { takenOver } from './ownership.ts';

const FORCE = 'pulumi.com/patchForce';
const MANAGER = 'pulumi.com/patchFieldManager';
const PROPAGATION = 'pulumi.com/deletionPropagationPolicy';
/** A namespace may be a moment older than the API server's right to make things in it. */
const SETTLE_LIMIT_MS = 10_000;
/** A controller may write the object's status between our look and our change. */
const TAKE_OVER_ATTEMPTS = 8;

export interface Work {
  readonly client: ObjectClient;
  readonly urn: string;
  readonly signal: AbortSignal;
  /** The engine's custom timeout in seconds; 0: none. */
  readonly timeout: number;
  readonly report: (message: string) => void;
  /** Fields that another manager has set are taken from it; an object's own annotation decides first. @default false */
  readonly force?: boolean;
  /** Property paths at which the cluster's values stay. */
  readonly ignoreChanges?: readonly string[];
}

export interface Kept extends Outcome {
  readonly object: JsonObject;
  readonly fieldManager: string;
}

/**
 * Makes the object and waits for it. An object that is there already is refused, since its other owner would go on to
 * delete it; unless this very resource made it in a run that was killed before its outcome was kept.
 */
export async function create(inputs: JsonObject, work: Work): Promise<Kept> {
  const ref = refOf(inputs);
  const fieldManager = text(inputs, 'metadata', 'annotations', MANAGER) || fieldManagerFor(work.urn);
  const existing = await work.client.tryGet(ref, work.signal).catch(absentWhenUnserved);
  const leaving = existing !== undefined && text(existing, 'metadata', 'deletionTimestamp') !== '';
  if (existing !== undefined && leaving) await gone(existing, inputs, work);
  else if (existing !== undefined && !isMarkedBy(existing, work.urn)) {
    throw new Error(
      `${sayRef(ref)} exists already and is not this resource's: import it (pulumi import), add an alias, or delete it`,
    );
  }
  const live = await settle(() => apply(inputs, fieldManager, work), work.signal).catch(async (error: unknown) => {
    // Made by a killed run of another program: what it has in a field that cannot change is not what is asked for now.
    if (existing === undefined || leaving || !isImmutable(error)) throw error;
    await work.client.delete(ref, propagation(existing), work.signal);
    await gone(existing, inputs, work);
    return apply(inputs, fieldManager, work);
  });
  return { fieldManager, ...(await ready(live, work)) };
}

async function gone(former: JsonObject, inputs: JsonObject, work: Work): Promise<void> {
  const ref = refOf(inputs);
  const problem = await untilGone(ref, text(former, 'metadata', 'uid'), waitOf(inputs, work));
  if (problem !== undefined) throw new Error(`${sayRef(ref)} from before: ${problem}`);
}

export async function update(inputs: JsonObject, oldOutputs: JsonObject, work: Work): Promise<Kept> {
  const fieldManager = managerOf(oldOutputs, work);
  const ignored = work.ignoreChanges ?? [];
  const live = await takeOver(refOf(inputs), fieldManager, work);
  const sent = live === undefined ? inputs : withLiveValues(inputs, toState(live), ignored);
  const applied = await apply(sent, fieldManager, work);
  return { fieldManager, ...(await ready(applied, work)) };
}

/** The field manager that a resource has had since its creation. */
export function managerOf(outputs: JsonObject, work: Work): string {
  return text(outputs, FIELD_MANAGER) || fieldManagerFor(work.urn);
}

/** Makes the fields of the object's former managers ours. @returns the object as it was; undefined when it is not there */
async function takeOver(ref: ObjectRef, fieldManager: string, work: Work): Promise<JsonObject | undefined> {
  for (let attempt = 1; ; attempt++) {
    const live = await work.client.tryGet(ref, work.signal).catch(absentWhenUnserved);
    const fields = live === undefined ? undefined : takenOver(live, fieldManager);
    if (live === undefined || fields === undefined) return live;
    try {
      const options = { resourceVersion: text(live, 'metadata', 'resourceVersion'), fieldManager };
      await work.client.setManagedFields(ref, fields, options, work.signal);
      return live;
    } catch (error) {
      const changed = isKubeError(error, 409);
      if (!changed || attempt === TAKE_OVER_ATTEMPTS) throw error;
    }
  }
}

async function ready(live: JsonObject, work: Work): Promise<Outcome & { readonly object: JsonObject }> {
  const outcome = await untilReady(refOf(live), live, waitOf(live, work));
  return { object: outcome.object ?? live, problem: outcome.problem };
}

/** Server-side apply. A dry run takes every field: it is asked what the object would be, not whether it may. */
export async function apply(inputs: JsonObject, fieldManager: string, work: Work, dryRun = false): Promise<JsonObject> {
  const ref = refOf(inputs);
  const asked = text(inputs, 'metadata', 'annotations', FORCE);
  const force = dryRun || (asked === '' ? work.force === true : asked === 'true');
  try {
    return await work.client.apply(
      ref,
      toCluster(marked(inputs, work.urn)),
      { fieldManager, force, dryRun },
      work.signal,
    );
  } catch (error) {
    // The server's message repeats what it was sent.
    if (error instanceof KubeError && ref.kind === 'Secret') {
      throw new KubeError(error.status, { reason: error.reason, message: withoutValues(error) });
    }
    throw error;
  }
}

/** Tries again while the object's namespace or kind, made just before, is not known to the whole server yet. */
async function settle<T>(run: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const started = performance.now();
  for (;;) {
    try {
      return await run();
    } catch (error) {
      const young = isNotFound(error) || (isKubeError(error, 403) && /namespace|not yet/.test(error.message));
      if (!young || performance.now() - started > SETTLE_LIMIT_MS || signal.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}

export function absentWhenUnserved(error: unknown): undefined {
  if (isNotFound(error)) return undefined;
  throw error;
}

export interface Reading {
  readonly object: JsonObject;
  readonly inputs: JsonObject;
  readonly fieldManager: string;
  readonly initialApiVersion: string;
  readonly problem: string | undefined;
}

/** The object as it is now, and the inputs that would give it. Undefined when it is not there. */
export async function read(
  id: string,
  type: string,
  old: { readonly inputs: JsonObject; readonly outputs: JsonObject },
  work: Work,
): Promise<Reading | undefined> {
  const parsed = parseType(type);
  if (parsed === undefined) throw new Error(`${type} is not kubernetes:<group/version>:<Kind>`);
  const ref: ObjectRef = { ...parsed, ...parseId(id) };
  const live = await work.client.tryGet(ref, work.signal).catch(absentWhenUnserved);
  if (live === undefined) return undefined;
  const imported = Object.keys(old.inputs).length === 0;
  const object = toState(live);
  return {
    object: live,
    inputs: imported ? importedInputs(object) : await driftedInputs(old, object, work),
    fieldManager: managerOf(old.outputs, work),
    initialApiVersion: text(old.outputs, INITIAL_API_VERSION) || parsed.apiVersion,
    problem: imported ? undefined : await problemNow(work.client, live, work.signal),
  };
}

/** The old inputs with what has changed in the cluster. */
async function driftedInputs(
  old: { readonly inputs: JsonObject; readonly outputs: JsonObject },
  live: JsonObject,
  work: Work,
): Promise<JsonObject> {
  const { apiVersion, kind } = refOf(live);
  const exact = inputsFromLive(old.inputs, live);
  if (exact.doubts.length === 0 && equal(exact.inputs, old.inputs)) return old.inputs;
  const type = await work.client.schemas.of(apiVersion, kind);
  const first = inputsFromLive(old.inputs, live, type);
  if (first.doubts.length === 0) return first.inputs;
  // Where the dry run is refused, the values in doubt are taken to be such that the server does not store.
  const result = await apply(old.inputs, managerOf(old.outputs, work), work, true).catch(() => undefined);
  if (result === undefined) return first.inputs;
  const dropped = new Set(inputsFromLive(old.inputs, toState(result), type).doubts.map((path) => JSON.stringify(path)));
  return inputsFromLive(old.inputs, live, type, (path) => dropped.has(JSON.stringify(path))).inputs;
}

/** Deletes the object and waits until it is gone. @throws Error naming what holds it at the limit. */
export async function remove(id: string, type: string, outputs: JsonObject, work: Work): Promise<void> {
  const parsed = parseType(type);
  if (parsed === undefined) throw new Error(`${type} is not kubernetes:<group/version>:<Kind>`);
  const ref: ObjectRef = { ...parsed, ...parseId(id) };
  const live = await work.client.tryGet(ref, work.signal).catch(absentWhenUnserved);
  if (live === undefined) return;
  const started = await work.client.delete(ref, propagation(live), work.signal);
  if (!started || skipsAwait(live)) return;
  const problem = await untilGone(ref, text(live, 'metadata', 'uid'), waitOf(outputs, work));
  if (problem !== undefined) throw new Error(`${sayRef(ref)}: ${problem}`);
}

/**
 * Owners go after what they own, so that "gone" means all of it. What owns nothing is not made to wait for the garbage
 * collector.
 */
function propagation(live: JsonObject): string {
  const asked = text(live, 'metadata', 'annotations', PROPAGATION);
  if (asked !== '') return asked.charAt(0).toUpperCase() + asked.slice(1);
  return /^(apps|batch)\//.test(text(live, 'apiVersion')) ? 'Foreground' : 'Background';
}

const waitOf = (object: JsonObject, work: Work) => ({
  client: work.client,
  limitSeconds: limitSeconds(object, work.timeout),
  signal: work.signal,
  report: work.report,
});
