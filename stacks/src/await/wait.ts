import { setTimeout as sleep } from 'node:timers/promises';
import { isObject, type JsonObject, listAt, text } from '@delos/kube';
import type { ObjectClient, ObjectRef } from '../kube/object-client.ts';
import { hasReadiness, judge } from './judge.ts';
import { explain, lookAround } from './look.ts';
import type { Verdict } from './verdict.ts';
import { judgeWaitFor, WAIT_FOR } from './wait-for.ts';

export interface WaitOptions {
  readonly client: ObjectClient;
  readonly limitSeconds: number;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Told of what is waited for, whenever that changes. */
  readonly report: (message: string) => void;
}

export interface Outcome {
  /** The object as last seen; undefined when it is gone. */
  readonly object: JsonObject | undefined;
  /** Why it is not as it should be; undefined when it is. */
  readonly problem: string | undefined;
}

const SKIP_AWAIT = 'pulumi.com/skipAwait';
const TIMEOUT_SECONDS = 'pulumi.com/timeoutSeconds';
export const DEFAULT_LIMIT_SECONDS = 600;
/** For the last look, and for why: an API server that hangs must not make a wait much longer than its limit. */
const GRACE_SECONDS = 5;

export function skipsAwait(object: JsonObject): boolean {
  return text(object, 'metadata', 'annotations', SKIP_AWAIT) === 'true';
}

/** The engine's custom timeout, else the object's annotation, else ten minutes. */
export function limitSeconds(object: JsonObject, custom: number): number {
  if (custom > 0) return custom;
  const annotated = Number(text(object, 'metadata', 'annotations', TIMEOUT_SECONDS));
  return annotated > 0 ? annotated : DEFAULT_LIMIT_SECONDS;
}

const waitsFor = (object: JsonObject): string => text(object, 'metadata', 'annotations', WAIT_FOR);

/** Whether an object becomes ready some time after it exists: its kind does, or the program says so. */
const isAwaited = (object: JsonObject): boolean => hasReadiness(object) || waitsFor(object) !== '';

async function verdictOn(
  client: ObjectClient,
  object: JsonObject,
  since: number,
  signal: AbortSignal,
  before?: JsonObject,
): Promise<Verdict> {
  const asked = waitsFor(object);
  if (asked !== '') return judgeWaitFor(object, asked);
  const around = await lookAround(client, object, since, signal);
  return judge(object, before === undefined ? around : { ...around, before });
}

/** Waits until the object is ready. A wait that ends otherwise is an outcome with its problem, not an error. */
export async function untilReady(ref: ObjectRef, created: JsonObject, options: WaitOptions): Promise<Outcome> {
  if (skipsAwait(created) || !isAwaited(created)) return { object: created, problem: undefined };
  const since = performance.now();
  const pace = pacer(options.limitSeconds);
  const signal = bounded(options);
  let live: JsonObject | undefined = created;
  let message = 'nothing seen yet';
  let detail = '';
  for (;;) {
    try {
      // Every question after the first is asked anew; the answer to the creation serves the first.
      if (pace.turns > 0) live = await options.client.tryGet(ref, signal);
      if (live === undefined) return { object: undefined, problem: 'it was deleted while it was waited for' };
      const verdict = await verdictOn(options.client, live, since, signal, created);
      if (verdict.state === 'ready') return { object: live, problem: undefined };
      message = verdict.message;
      if (verdict.state === 'failed' || pace.over || pace.turns % 4 === 2) {
        detail = await explain(options.client, live, signal);
      }
      if (verdict.state === 'failed') return { object: live, problem: join(message, detail) };
    } catch (error) {
      if (options.signal.aborted) break;
      // The API server may restart meanwhile; what counts is where things stand at the limit.
      message = `the API server does not answer: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (pace.over) {
      const problem = `not ready after ${pace.elapsed} s (limit ${options.limitSeconds} s): ${join(message, detail)}`;
      return { object: live, problem };
    }
    options.report(`${join(message, detail)}${pace.shown}`);
    if (!(await pace.next(options.signal))) break;
  }
  return { object: live, problem: `interrupted while waiting: ${join(message, detail)}` };
}

/** One look: the problem an object has now, if it has one. */
export async function problemNow(
  client: ObjectClient,
  live: JsonObject,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (skipsAwait(live) || !isAwaited(live)) return undefined;
  const verdict = await verdictOn(client, live, Number.NEGATIVE_INFINITY, signal);
  if (verdict.state === 'ready') return undefined;
  return join(verdict.message, await explain(client, live, signal));
}

/** Waits until no object with this uid is there any more, naming what holds it. */
export async function untilGone(ref: ObjectRef, uid: string, options: WaitOptions): Promise<string | undefined> {
  const pace = pacer(options.limitSeconds);
  const signal = bounded(options);
  let holds = 'still there';
  for (;;) {
    try {
      const live = await options.client.tryGet(ref, signal);
      if (live === undefined || (uid !== '' && text(live, 'metadata', 'uid') !== uid)) return undefined;
      holds = sayHolders(live);
    } catch (error) {
      if (options.signal.aborted) break;
      holds = `the API server does not answer: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (pace.over) return `not gone after ${pace.elapsed} s (limit ${options.limitSeconds} s): ${holds}`;
    options.report(`deleting: ${holds}${pace.shown}`);
    if (!(await pace.next(options.signal))) break;
  }
  return `interrupted while it is deleted: ${holds}`;
}

function sayHolders(live: JsonObject): string {
  const finalizers = [...listAt(live, 'metadata', 'finalizers'), ...listAt(live, 'spec', 'finalizers')].map(String);
  const remaining = listAt(live, 'status', 'conditions')
    .filter(isObject)
    .filter((item) => item.status === 'True' && /Remaining|Failure/.test(text(item, 'type')))
    .map((item) => text(item, 'message'));
  const held = finalizers.length === 0 ? 'no finalizer, its end is awaited' : `finalizer ${finalizers.join(', ')}`;
  return [held, ...remaining].join('; ');
}

const bounded = ({ signal, limitSeconds }: WaitOptions): AbortSignal =>
  AbortSignal.any([signal, AbortSignal.timeout((limitSeconds + GRACE_SECONDS) * 1000)]);

const join = (message: string, detail: string): string => (detail === '' ? message : `${message}; ${detail}`);

/** Looks often at first, since most things are ready within seconds, then once a second. */
function pacer(limit: number) {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  return {
    turns: 0,
    get elapsed(): number {
      return Math.round(seconds());
    },
    /** In tens of seconds: a log gets a line when something changes, and one in ten seconds otherwise. */
    get shown(): string {
      const tens = Math.floor(seconds() / 10) * 10;
      return tens === 0 ? '' : ` (${tens} of ${limit} s)`;
    },
    get over(): boolean {
      return seconds() >= limit;
    },
    /** False when the signal came. */
    async next(signal: AbortSignal): Promise<boolean> {
      this.turns += 1;
      const usual = seconds() < 2 ? 0.25 : seconds() < 20 ? 0.5 : 1;
      const pause = Math.min(usual, Math.max(0.01, limit - seconds()));
      try {
        await sleep(pause * 1000, undefined, { signal });
        return true;
      } catch {
        return false;
      }
    },
  };
}
