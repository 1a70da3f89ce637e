import { at, isObject, type JsonObject, listAt, numeral, objectAt, text } from '@delos/kube';

/** What is wrong with a Pod that is not ready, in words; undefined where nothing shows yet. */
export interface Trouble {
  readonly message: string;
  /** A container whose last line of output may say more. */
  readonly crashed: { readonly container: string; readonly previous: boolean } | undefined;
}

const STARTING = new Set(['ContainerCreating', 'PodInitializing']);

/** Events come newest last. Which of them explains the Pod's state is asked only where the state itself does not. */
export function explainPod(pod: JsonObject, events: readonly JsonObject[]): Trouble | undefined {
  return (
    explainScheduling(pod) ??
    explainContainers(pod, events) ??
    explainEvent(events.filter((event) => event.type === 'Warning').at(-1)) ??
    explainEvent(events.at(-1))
  );
}

function explainScheduling(pod: JsonObject): Trouble | undefined {
  const scheduled = conditionOf(pod, 'PodScheduled');
  if (scheduled?.status !== 'False') return undefined;
  return plain(`${text(scheduled, 'reason') || 'Unschedulable'}: ${text(scheduled, 'message')}`);
}

function explainContainers(pod: JsonObject, events: readonly JsonObject[]): Trouble | undefined {
  for (const status of [
    ...listAt(pod, 'status', 'initContainerStatuses'),
    ...listAt(pod, 'status', 'containerStatuses'),
  ]) {
    const name = text(status, 'name');
    const reason = text(status, 'state', 'waiting', 'reason');
    const last = objectAt(status, 'lastState', 'terminated');
    if (
      reason === 'CrashLoopBackOff' ||
      (reason === '' && numeral(status, ['restartCount']) > 0 && !at(status, 'ready'))
    ) {
      if (Object.keys(last).length > 0) {
        const crashed = { container: name, previous: true };
        return { message: `container ${name}: ${reason || 'restarted'}, ${sayExit(last)}`, crashed };
      }
    }
    if (reason !== '' && !STARTING.has(reason)) {
      // "Back-off" alone says nothing: the event of the failed pull has the registry's answer.
      const pull = /ImagePull|ErrImage/.test(reason) ? lastPullFailure(events) : '';
      const message = pull || text(status, 'state', 'waiting', 'message');
      return plain(`container ${name}: ${reason}${message === '' ? '' : `: ${message}`}`);
    }
    const ended = objectAt(status, 'state', 'terminated');
    if (Object.keys(ended).length > 0 && numeral(ended, ['exitCode']) !== 0) {
      return { message: `container ${name}: ${sayExit(ended)}`, crashed: { container: name, previous: false } };
    }
  }
  return undefined;
}

function lastPullFailure(events: readonly JsonObject[]): string {
  return text(
    events.findLast((event) => event.reason === 'Failed' && text(event, 'message').includes('pull')),
    'message',
  );
}

function sayExit(ended: JsonObject): string {
  const reason = text(ended, 'reason');
  const detail = reason === '' || reason === 'Error' ? '' : ` (${reason})`;
  return `exited with code ${numeral(ended, ['exitCode'])}${detail}`;
}

function explainEvent(event: JsonObject | undefined): Trouble | undefined {
  if (event === undefined) return undefined;
  return plain(`${text(event, 'reason')}: ${text(event, 'message')}`);
}

function conditionOf(pod: JsonObject, type: string): JsonObject | undefined {
  return listAt(pod, 'status', 'conditions')
    .filter(isObject)
    .find((item) => item.type === type);
}

const plain = (message: string): Trouble => ({ message: message.trim(), crashed: undefined });

export function isPodReady(pod: JsonObject): boolean {
  return conditionOf(pod, 'Ready')?.status === 'True' || text(pod, 'status', 'phase') === 'Succeeded';
}

/** Oldest first, by when it was last seen. */
export function byTime(events: readonly JsonObject[]): readonly JsonObject[] {
  const seen = (event: JsonObject): string =>
    text(event, 'series', 'lastObservedTime') ||
    text(event, 'lastTimestamp') ||
    text(event, 'eventTime') ||
    text(event, 'metadata', 'creationTimestamp');
  return [...events].sort((a, b) => Date.parse(seen(a)) - Date.parse(seen(b)));
}
