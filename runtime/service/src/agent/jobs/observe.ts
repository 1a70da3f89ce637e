import { type PodObservation, REGISTRY_SECRET_ANNOTATION, type Reason, RUN_LABEL } from '@delos/core';
import { CONTAINER } from '../container-name.ts';
import { explainEviction } from '../eviction.ts';
import { neverStarted, whyRefused } from '../pod-admission.ts';
import { explainPull, isPullReason } from './image-pull.ts';
import { whyLost, whyPutOut } from './pod-put-out.ts';
import type { ContainerStatus, Pod } from './pod-shape.ts';

/** What the agent knows beside the Pod itself. */
export interface ObserveContext {
  /** The kubelet's last event about the Pod; `Pulling` is told nowhere else. */
  readonly lastEvent: { readonly reason: string; readonly message: string } | undefined;
  /** Manifest digest of an image that stands in for another → what it really is. */
  readonly standIns: ReadonlyMap<string, string>;
  /** Milliseconds for which its image could not be pulled. */
  readonly pullFailingMs: number;
  readonly now: Date;
}

/** A registry that DNS does not know is given this long. Other passing trouble has the scheduler's patience. */
const UNKNOWN_HOST_MS = 30_000;
/** After a deletion's own grace period: the node does not answer any more. */
const LOST_MS = 60_000;
const CREATE_FAILURES: ReadonlySet<string> = new Set([
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'PreCreateHookError',
  'PostStartHookError',
]);

/** The kubelet came before the Secret did, and tries again. */
const LACKS_SECRET = /\bsecret "job-[^"]*" not found/;

type Told = Pick<PodObservation, 'phase'> & {
  readonly reason: Reason | null;
  readonly description: string | null;
} & Partial<Pick<PodObservation, 'exitCode' | 'startedAt' | 'finishedAt'>>;

/** A job's Pod as the control plane is told of it. */
export function observePod(pod: Pod, context: ObserveContext): PodObservation {
  const status = mainOf(pod);
  const told = tell(pod, status, context);
  const times = status?.state.terminated ?? status?.lastState.terminated;
  return {
    podUid: pod.metadata.uid,
    run: runOf(pod),
    nodeName: pod.spec.nodeName ?? null,
    podIp: pod.status.podIP ?? null,
    restarts: status?.restartCount ?? 0,
    startedAt: status?.state.running?.startedAt ?? times?.startedAt ?? null,
    finishedAt: null,
    exitCode: null,
    ofItself: endedOfItself(pod),
    putOut: told.phase === 'failed' && (whyPutOut(pod, status) ?? whyLost(status)) !== undefined,
    refused: told.phase === 'failed' && hasEnded(pod) && neverRan(pod, status),
    standIn: standInOf(status, context.standIns),
    ...told,
  };
}

/** Whether it ended for its node's sake before a container had started. */
function neverRan(pod: Pod, status: ContainerStatus | undefined): boolean {
  if (whyRefused(pod, status) !== undefined) return true;
  return neverStarted(status) && whyPutOut(pod, status) !== undefined;
}

/** What the container's image really is. The kubelet names it by its manifest: `docker.io/library/x@sha256:…`. */
function standInOf(status: ContainerStatus | undefined, standIns: ReadonlyMap<string, string>): string | null {
  const digest = /sha256:[0-9a-f]{64}$/.exec(status?.imageID ?? '')?.[0];
  return digest === undefined ? null : (standIns.get(digest) ?? null);
}

/** The run of its job that a Pod is. */
export function runOf(pod: Pod): number {
  return Number(pod.metadata.labels[RUN_LABEL] ?? 0);
}

/** Whether it ended without being asked to; where that cannot be told, not. */
function endedOfItself(pod: Pod): boolean {
  if (!hasEnded(pod) || pod.metadata.deletionTimestamp !== undefined || pod.status.reason !== '') return false;
  if (whyLost(mainOf(pod)) !== undefined) return false;
  // A deadline that came too late: the kubelet would have said that it was exceeded.
  const final = pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';
  return final || pod.spec.activeDeadlineSeconds === undefined;
}

/** True once the container has ended for good, or never will start: its log grows no more. */
export function hasEnded(pod: Pod): boolean {
  const state = mainOf(pod)?.state;
  if (pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed') return state?.running === undefined;
  // The kubelet tells of the container first and of the Pod a second later.
  const code = state?.terminated?.exitCode;
  if (code === undefined) return false;
  // One that is to be deleted is not started again.
  if (pod.metadata.deletionTimestamp !== undefined) return true;
  return pod.spec.restartPolicy === 'Never' || (pod.spec.restartPolicy === 'OnFailure' && code === 0);
}

function mainOf(pod: Pod): ContainerStatus | undefined {
  return pod.status.containerStatuses.find(({ name }) => name === CONTAINER);
}

function tell(pod: Pod, status: ContainerStatus | undefined, context: ObserveContext): Told {
  if (hasEnded(pod)) return tellEnd(pod, status);
  if (status?.state.running !== undefined)
    return tellLost(pod, context) ?? { phase: 'running', reason: null, description: null };
  const last = status?.state.terminated ?? status?.lastState.terminated;
  // A Pod that runs while its container does not: the kubelet is about to start it again.
  if (status !== undefined && last !== undefined && pod.status.phase !== 'Pending') {
    const times = status.restartCount === 1 ? 'once' : `${status.restartCount} times`;
    return {
      phase: 'running',
      reason: 'Restarting',
      description: `its container ended with exit code ${last.exitCode} and is started again${status.restartCount === 0 ? '' : ` (restarted ${times} so far)`}`,
      exitCode: last.exitCode,
    };
  }
  return tellLost(pod, context) ?? tellPending(pod, status, context);
}

/** A Pod that is to be deleted and stays: its node is gone. */
function tellLost(pod: Pod, context: ObserveContext): Told | undefined {
  const due = pod.metadata.deletionTimestamp;
  if (due === undefined || context.now.getTime() - Date.parse(due) < LOST_MS) return undefined;
  return {
    phase: 'failed',
    reason: 'NodeLost',
    description: `node ${pod.spec.nodeName ?? 'unknown'} does not answer any more`,
  };
}

function tellPending(pod: Pod, status: ContainerStatus | undefined, context: ObserveContext): Told {
  const pending = (reason: Reason, description: string | null): Told => ({ phase: 'pending', reason, description });
  const waiting = status?.state.waiting;
  const image = pod.spec.containers.find(({ name }) => name === CONTAINER)?.image ?? '';
  if (waiting !== undefined && isPullReason(waiting.reason)) {
    const failure = explainPull(image, waiting.reason, waiting.message, registrySecret(pod));
    // Tried again just now: what its status says is of the time before.
    if (!failure.final && context.lastEvent?.reason === 'Pulling') return pendingPull(image);
    const given = failure.final || (context.pullFailingMs >= UNKNOWN_HOST_MS && failure.unknownHost);
    return { phase: given ? 'failed' : 'pending', reason: 'ErrImagePull', description: failure.description };
  }
  if (waiting !== undefined && CREATE_FAILURES.has(waiting.reason) && !LACKS_SECRET.test(waiting.message)) {
    return { phase: 'failed', reason: 'CannotStart', description: explainStart(waiting.message) };
  }
  const scheduled = pod.status.conditions.find(({ type }) => type === 'PodScheduled');
  if (pod.spec.nodeName === undefined) {
    if (scheduled?.reason === 'Unschedulable') return pending('NoCapacity', explainUnschedulable(scheduled.message));
    return pending('Scheduling', 'a node is being chosen');
  }
  const event = context.lastEvent;
  if (event?.reason === 'Pulling') return pendingPull(image);
  // In the kubelet's own words, which are not for users.
  if (event !== undefined && /^Failed to pull image /.test(event.message))
    return pending('ErrImagePull', explainPull(image, 'ErrImagePull', event.message, registrySecret(pod)).description);
  if (event !== undefined && LACKS_SECRET.test(event.message)) return pending('ContainerCreating', null);
  if (event !== undefined && /^Failed(Mount|AttachVolume|MapVolume)$/.test(event.reason))
    return pending('ContainerCreating', `a disk of it could not be mounted yet: ${event.message.slice(0, 200)}`);
  if (event !== undefined && /^Failed/.test(event.reason))
    return pending('ContainerCreating', event.message.slice(0, 300));
  return pending('ContainerCreating', null);
}

/** The secret of its project by which its image is pulled. */
const registrySecret = (pod: Pod): string | undefined => pod.metadata.annotations[REGISTRY_SECRET_ANNOTATION];

function pendingPull(image: string): Told {
  return { phase: 'pending', reason: 'Pulling', description: `pulling image ${JSON.stringify(image)}` };
}

function tellEnd(pod: Pod, status: ContainerStatus | undefined): Told {
  const ended = status?.state.terminated ?? status?.lastState.terminated;
  const times = {
    exitCode: ended?.exitCode ?? null,
    startedAt: ended?.startedAt ?? null,
    finishedAt: ended?.finishedAt ?? null,
  };
  const refused = whyRefused(pod, status);
  if (refused !== undefined) return { phase: 'failed', reason: 'NoCapacity', description: refused, ...times };
  const putOut = whyPutOut(pod, status);
  if (putOut !== undefined) return { phase: 'failed', reason: 'Evicted', description: putOut, ...times };
  const succeeded = pod.status.phase === 'Succeeded' || (pod.status.phase !== 'Failed' && ended?.exitCode === 0);
  if (succeeded) return { phase: 'succeeded', reason: null, description: null, ...times };
  const failed = (reason: Reason, description: string): Told => ({ phase: 'failed', reason, description, ...times });
  switch (pod.status.reason) {
    case 'DeadlineExceeded':
      return failed('LifeSpanEnded', 'its life-span is over');
    case 'Evicted':
      return failed('Evicted', explainEviction(pod.status.message));
    case 'Preempting':
    case 'Terminated':
    case 'NodeShutdown':
      return failed('Evicted', `its node put it out: ${pod.status.message || pod.status.reason}`);
    case 'NodeLost':
      return failed('NodeLost', `node ${pod.spec.nodeName ?? 'unknown'} does not answer any more`);
  }
  const lost = whyLost(status);
  if (lost !== undefined) return failed('NodeLost', lost);
  if (ended === undefined) return failed('Error', pod.status.message || 'its container never started');
  switch (ended.reason) {
    case 'OOMKilled':
      return failed('OOMKilled', 'it used more memory than its preset has; choose a larger preset');
    case 'StartError':
    case 'ContainerCannotRun':
      return failed('CannotStart', explainStart(ended.message));
    default:
      return failed('Error', explainExit(ended.exitCode));
  }
}

function explainExit(code: number): string {
  if (code === 137) return 'its container was killed (exit code 137)';
  if (code > 128 && code < 160) return `its container was ended by signal ${code - 128} (exit code ${code})`;
  return `its container ended with exit code ${code}`;
}

/** runc's words about a container that would not start. */
function explainStart(message: string): string {
  const notFound =
    /exec: "([^"]*)": (?:executable file not found in \$PATH|stat [^:]+: no such file or directory)/.exec(message);
  if (notFound !== null) return `the image has no command ${JSON.stringify(notFound[1])}; check command and entrypoint`;
  const denied = /exec: "([^"]*)": permission denied/.exec(message);
  if (denied !== null) return `${JSON.stringify(denied[1])} in the image may not be executed`;
  if (/exec format error/.test(message)) return 'the image is built for other processors than the node has';
  if (/runAsNonRoot/.test(message)) return 'the image runs as root, which this preset does not permit';
  if (/mkdir .*no such file|chdir to cwd/.test(message))
    return `the working directory is not there: ${message.slice(-200)}`;
  return message === ''
    ? 'its container could not be started'
    : `its container could not be started: ${message.slice(-300)}`;
}

/** kube-scheduler counts nodes by what keeps the Pod off them: `0/3 nodes are available: 2 Insufficient cpu, 1 …`. */
function explainUnschedulable(message: string): string {
  const clauses = (message.split(': ').slice(1).join(': ').split('. ')[0] ?? '')
    .split(', ')
    .filter((clause) => !/preemption/.test(clause));
  const words = clauses.map((clause) =>
    clause
      .replace(/^(\d+) Insufficient (\S+?)\.?$/, '$1 without enough free $2')
      .replace(/node\(s\) didn't match Pod's node affinity\/selector\.?/, 'in other pools')
      .replace(/node\(s\) had untolerated taint(?:\(s\)|s)? \{?([^}]*)\}?\.?/, 'closed by taint $1')
      .replace(
        /node\(s\) (?:had volume node affinity conflict|didn't match PersistentVolume's node affinity)\.?/,
        'where its disks cannot be mounted',
      )
      .replace(/node\(s\) were unschedulable\.?/, 'closed by the administrator'),
  );
  return words.length === 0 || words[0] === '' ? message : `no node has room for it now (nodes: ${words.join(', ')})`;
}
