import type { JsonObject } from '@delos/kube';
import type { ObjectClient } from '../kube/object-client.ts';

/** A list of one kind in one namespace. */
export interface ListOf {
  readonly apiVersion: string;
  readonly plural: string;
  readonly namespace: string;
}

interface Answer {
  readonly askedAt: number;
  readonly objects: Promise<readonly JsonObject[]>;
}

/** How old an answer may be that serves another wait, in milliseconds: less than the usual pause between two looks. */
const SHARED_MS = 400;
/** Of a question that serves many waits, none of which may end it for the others. */
const LIMIT_MS = 30_000;

const answersOf = new WeakMap<ObjectClient, Map<string, Answer>>();

/**
 * Objects of a kind in a namespace, for waits side by side: one question serves all that ask within a moment, since an install waits for
 * dozens of objects of one namespace at once. No answer is older than the wait that it is given to.
 * @param since when that wait began, by `performance.now()`
 */
export async function sharedList(
  client: ObjectClient,
  list: ListOf,
  since: number,
  signal?: AbortSignal,
): Promise<readonly JsonObject[]> {
  signal?.throwIfAborted();
  const answers = answersOf.get(client) ?? new Map<string, Answer>();
  answersOf.set(client, answers);
  const key = `${list.apiVersion} ${list.namespace} ${list.plural}`;
  const now = performance.now();
  let answer = answers.get(key);
  if (answer === undefined || answer.askedAt < since || now - answer.askedAt > SHARED_MS) {
    answer = { askedAt: now, objects: client.list(list, {}, AbortSignal.timeout(LIMIT_MS)) };
    answers.set(key, answer);
    // A wait that has ended meanwhile must not leave a refusal that nobody takes.
    answer.objects.catch(() => undefined);
  }
  return signal === undefined ? answer.objects : before(answer.objects, signal);
}

/** The answer, or the signal's reason where that comes first. */
async function before<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([answer, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
