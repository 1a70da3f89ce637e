import { isObject, type JsonObject, listAt, numeral, text } from '@delos/kube';
import { failed, ready, type Surroundings, type Verdict, waiting } from './verdict.ts';

/** The controller has seen the object's present form: before that, status tells of an earlier one. */
function observed(object: JsonObject): boolean {
  return numeral(object, ['status', 'observedGeneration'], -1) >= numeral(object, ['metadata', 'generation']);
}

/** Whether the Deployment moves, by its controller's own word. */
const progressOf = (object: JsonObject | undefined): JsonObject | undefined =>
  listAt(object, 'status', 'conditions')
    .filter(isObject)
    .find((item) => item.type === 'Progressing');

/** That it has stalled is of an earlier form where it was said before: the controller keeps that until the next step. */
function hasStalled(object: JsonObject, before: JsonObject | undefined): boolean {
  const progress = progressOf(object);
  if (progress?.status !== 'False' || progress.reason !== 'ProgressDeadlineExceeded') return false;
  return before === undefined || text(progress, 'lastUpdateTime') !== text(progressOf(before), 'lastUpdateTime');
}

export function judgeDeployment(object: JsonObject, { before }: Surroundings): Verdict {
  if (!observed(object)) return waiting('not seen by its controller yet');
  const wanted = numeral(object, ['spec', 'replicas'], 1);
  const total = numeral(object, ['status', 'replicas']);
  const updated = numeral(object, ['status', 'updatedReplicas']);
  const available = numeral(object, ['status', 'availableReplicas']);
  if (updated >= wanted && available >= wanted && total <= updated) return ready;
  const count = `${Math.min(available, updated)}/${wanted} ready`;
  if (hasStalled(object, before)) {
    return failed(`${count}, no progress within ${numeral(object, ['spec', 'progressDeadlineSeconds'], 600)} s`);
  }
  if (updated < wanted) return waiting(`${updated}/${wanted} updated`);
  if (total > updated) return waiting(`${count}, ${total - updated} of the former version still there`);
  return waiting(count);
}

export function judgeStatefulSet(object: JsonObject): Verdict {
  if (!observed(object)) return waiting('not seen by its controller yet');
  const wanted = numeral(object, ['spec', 'replicas'], 1);
  const readyReplicas = numeral(object, ['status', 'readyReplicas']);
  const current = numeral(object, ['status', 'replicas']);
  const updated = numeral(object, ['status', 'updatedReplicas']);
  const onDelete = text(object, 'spec', 'updateStrategy', 'type') === 'OnDelete';
  const partition = numeral(object, ['spec', 'updateStrategy', 'rollingUpdate', 'partition']);
  if (!onDelete && updated < Math.max(0, wanted - partition)) return waiting(`${updated}/${wanted} updated`);
  if (readyReplicas < wanted || current !== wanted) return waiting(`${readyReplicas}/${wanted} ready`);
  return ready;
}

export function judgeDaemonSet(object: JsonObject): Verdict {
  if (!observed(object)) return waiting('not seen by its controller yet');
  const wanted = numeral(object, ['status', 'desiredNumberScheduled']);
  const updated = numeral(object, ['status', 'updatedNumberScheduled']);
  const available = numeral(object, ['status', 'numberAvailable']);
  const onDelete = text(object, 'spec', 'updateStrategy', 'type') === 'OnDelete';
  if (!onDelete && updated < wanted) return waiting(`${updated}/${wanted} nodes updated`);
  if (available < wanted) return waiting(`${available}/${wanted} nodes ready`);
  return ready;
}
