import { at, isObject, type JsonObject, listAt, numeral, objectAt, text } from '@delos/kube';
import { failed, ready, type Surroundings, type Verdict, waiting } from './verdict.ts';
import { judgeDaemonSet, judgeDeployment, judgeStatefulSet } from './workloads.ts';

type Judge = (object: JsonObject, around: Surroundings) => Verdict;

const JUDGES: Readonly<Record<string, Judge>> = {
  'apps/Deployment': judgeDeployment,
  'apps/StatefulSet': judgeStatefulSet,
  'apps/DaemonSet': judgeDaemonSet,
  'batch/Job': judgeJob,
  '/Pod': judgePod,
  '/PersistentVolumeClaim': judgeClaim,
  '/Service': judgeService,
  '/Namespace': (object) => phase(object, ['Active']),
  '/PersistentVolume': (object) => phase(object, ['Available', 'Bound']),
  'apiextensions.k8s.io/CustomResourceDefinition': judgeDefinition,
  'apiregistration.k8s.io/APIService': (object) => needs(object, 'Available'),
};

function judgeOf(object: JsonObject): Judge | undefined {
  const apiVersion = text(object, 'apiVersion');
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  return JUDGES[`${group}/${text(object, 'kind')}`];
}

/** True for kinds that become ready some time after they exist; all others are ready once stored. */
export function hasReadiness(object: JsonObject): boolean {
  return judgeOf(object) !== undefined;
}

export function judge(object: JsonObject, around: Surroundings): Verdict {
  return judgeOf(object)?.(object, around) ?? ready;
}

/** The condition of that type, if the object has it. */
export function condition(object: JsonObject, type: string): JsonObject | undefined {
  return listAt(object, 'status', 'conditions')
    .filter(isObject)
    .find((item) => item.type === type);
}

export function isTrue(object: JsonObject, type: string): boolean {
  return condition(object, type)?.status === 'True';
}

function sayCondition(item: JsonObject | undefined, otherwise: string): string {
  const words = [text(item, 'reason'), text(item, 'message')].filter((word) => word !== '');
  return words.length === 0 ? otherwise : words.join(': ');
}

function needs(object: JsonObject, type: string): Verdict {
  if (isTrue(object, type)) return ready;
  return waiting(sayCondition(condition(object, type), `not ${type} yet`));
}

function phase(object: JsonObject, wanted: readonly string[]): Verdict {
  const found = text(object, 'status', 'phase');
  if (wanted.includes(found)) return ready;
  return waiting(`phase ${found === '' ? 'unknown' : found}, expected ${wanted.join(' or ')}`);
}

function judgeDefinition(object: JsonObject): Verdict {
  const names = condition(object, 'NamesAccepted');
  if (names?.status === 'False') return failed(sayCondition(names, 'its names are not accepted'));
  return needs(object, 'Established');
}

function judgeJob(object: JsonObject): Verdict {
  if (isTrue(object, 'Complete')) return ready;
  if (isTrue(object, 'Failed')) return failed(sayCondition(condition(object, 'Failed'), 'the Job failed'));
  if (at(object, 'spec', 'suspend') === true) return ready;
  const wanted = numeral(object, ['spec', 'completions'], 1);
  return waiting(`${numeral(object, ['status', 'succeeded'])}/${wanted} completed`);
}

function judgePod(object: JsonObject): Verdict {
  const found = text(object, 'status', 'phase');
  if (found === 'Succeeded' || isTrue(object, 'Ready')) return ready;
  if (found === 'Failed') return failed(text(object, 'status', 'message') || 'the Pod failed');
  return waiting(found === 'Running' ? 'running, not ready yet' : 'pending');
}

function judgeClaim(object: JsonObject, around: Surroundings): Verdict {
  const found = text(object, 'status', 'phase');
  if (found === 'Bound') return ready;
  if (found === 'Lost') return failed('its volume is lost');
  // Bound when its first Pod is scheduled, which may well come after it.
  if (text(around.storageClass, 'volumeBindingMode') === 'WaitForFirstConsumer') return ready;
  return waiting('not bound to a volume yet');
}

function judgeService(object: JsonObject, around: Surroundings): Verdict {
  const type = text(object, 'spec', 'type');
  const selector = objectAt(object, 'spec', 'selector');
  if (type === 'ExternalName') return ready;
  if (type === 'LoadBalancer' && listAt(object, 'status', 'loadBalancer', 'ingress').length === 0) {
    return waiting('no load balancer address yet');
  }
  const headless = text(object, 'spec', 'clusterIP') === 'None';
  if (Object.keys(selector).length === 0 || headless) return ready;
  const hasReady = around.endpointSlices.some((slice) =>
    listAt(slice, 'endpoints').some((endpoint) => at(endpoint, 'conditions', 'ready') !== false),
  );
  if (hasReady) return ready;
  const behind = around.workloads.filter((workload) => selects(selector, workload));
  const atRest = behind.filter((workload) => numeral(workload, ['spec', 'replicas'], 1) === 0);
  if (behind.length > 0 && atRest.length === behind.length) return ready;
  return waiting('no ready endpoint yet');
}

function selects(selector: JsonObject, workload: JsonObject): boolean {
  const labels = objectAt(workload, 'spec', 'template', 'metadata', 'labels');
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}
