import { describe, expect, test } from 'vitest';
import { explainPull } from '../../../../runtime/service/src/agent/jobs/image-pull.ts';
import { hasEnded, type ObserveContext, observePod } from '../../../../runtime/service/src/agent/jobs/observe.ts';
import { type Pod, podShape } from '../../../../runtime/service/src/agent/jobs/pod-shape.ts';

const JOB = 'job-00000000-0000-4000-8000-000000000001';

interface Given {
  readonly phase: string;
  readonly reason?: string;
  readonly node?: string | null;
  readonly restartPolicy?: string;
  readonly state?: Readonly<Record<string, unknown>>;
  readonly lastState?: Readonly<Record<string, unknown>>;
  readonly restartCount?: number;
  readonly imageID?: string;
  readonly conditions?: readonly Readonly<Record<string, unknown>>[];
  readonly deletionTimestamp?: string;
  readonly deadline?: number;
  readonly labels?: Readonly<Record<string, string>>;
}

function podOf(given: Given): Pod {
  return podShape.parse({
    metadata: {
      name: JOB,
      namespace: 'p',
      uid: 'u',
      labels: given.labels ?? {},
      ...(given.deletionTimestamp === undefined ? {} : { deletionTimestamp: given.deletionTimestamp }),
    },
    spec: {
      ...(given.node === null ? {} : { nodeName: given.node ?? 'node-1' }),
      restartPolicy: given.restartPolicy ?? 'Never',
      ...(given.deadline === undefined ? {} : { activeDeadlineSeconds: given.deadline }),
      containers: [{ name: 'main', image: 'nope:1' }],
    },
    status: {
      phase: given.phase,
      reason: given.reason,
      conditions: given.conditions ?? [],
      containerStatuses:
        given.state === undefined
          ? []
          : [
              {
                name: 'main',
                restartCount: given.restartCount ?? 0,
                imageID: given.imageID ?? '',
                state: given.state,
                lastState: given.lastState ?? {},
              },
            ],
    },
  });
}

const calm: ObserveContext = {
  lastEvent: undefined,
  standIns: new Map(),
  pullFailingMs: 0,
  now: new Date('2026-01-01T00:10:00Z'),
};
const ended = (exitCode: number, reason = 'Error', message = '') => ({ terminated: { exitCode, reason, message } });
const pulling = (message: string, reason = 'ErrImagePull') => ({ waiting: { reason, message } });
const unreachable =
  'failed to do request: Head "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host';

describe('a Pod is told as', () => {
  const table: readonly [string, Given, Partial<ObserveContext>, Readonly<Record<string, unknown>>][] = [
    ['waiting for a node', { phase: 'Pending', node: null }, {}, { phase: 'pending', reason: 'Scheduling' }],
    [
      'without room',
      {
        phase: 'Pending',
        node: null,
        conditions: [
          {
            type: 'PodScheduled',
            status: 'False',
            reason: 'Unschedulable',
            message:
              '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found.',
          },
        ],
      },
      {},
      {
        phase: 'pending',
        reason: 'NoCapacity',
        description: 'no node has room for it now (nodes: 1 without enough free cpu)',
      },
    ],
    [
      'being made',
      { phase: 'Pending', state: { waiting: { reason: 'ContainerCreating' } } },
      {},
      { reason: 'ContainerCreating' },
    ],
    [
      'pulling',
      { phase: 'Pending', state: { waiting: { reason: 'ContainerCreating' } } },
      { lastEvent: { reason: 'Pulling', message: 'Pulling image' } },
      { phase: 'pending', reason: 'Pulling', description: 'pulling image "nope:1"' },
    ],
    [
      'an unknown image',
      { phase: 'Pending', state: pulling('nope:1: not found') },
      {},
      { phase: 'failed', reason: 'ErrImagePull' },
    ],
    [
      'a refused image',
      { phase: 'Pending', state: pulling('pull access denied') },
      {},
      { phase: 'failed', reason: 'ErrImagePull' },
    ],
    [
      'a registry that DNS does not know, at first',
      { phase: 'Pending', state: pulling(unreachable) },
      {},
      { phase: 'pending', reason: 'ErrImagePull' },
    ],
    [
      'a registry that DNS does not know, for long',
      { phase: 'Pending', state: pulling(unreachable, 'ImagePullBackOff') },
      { pullFailingMs: 40_000 },
      { phase: 'failed', reason: 'ErrImagePull' },
    ],
    [
      'a registry that does not answer, for long: the scheduler has the patience',
      { phase: 'Pending', state: pulling('dial tcp 93.184.215.14:443: connect: connection refused') },
      { pullFailingMs: 40_000 },
      { phase: 'pending', reason: 'ErrImagePull' },
    ],
    [
      'a pull that failed a moment ago, in other words than the kubelet’s',
      { phase: 'Pending', state: { waiting: { reason: 'ContainerCreating' } } },
      { lastEvent: { reason: 'Failed', message: 'Failed to pull image "nope:1": dial tcp 10.0.0.1:1: refused' } },
      {
        phase: 'pending',
        reason: 'ErrImagePull',
        description: expect.not.stringContaining('10.0.0.1'),
      },
    ],
    [
      'a container that cannot be made',
      {
        phase: 'Pending',
        state: {
          waiting: {
            reason: 'CreateContainerConfigError',
            message: 'container has runAsNonRoot and image will run as root',
          },
        },
      },
      {},
      { phase: 'failed', reason: 'CannotStart' },
    ],
    ['running', { phase: 'Running', state: { running: {} } }, {}, { phase: 'running', reason: null }],
    ['succeeded', { phase: 'Succeeded', state: ended(0, 'Completed') }, {}, { phase: 'succeeded', exitCode: 0 }],
    [
      'succeeded before its Pod says so',
      { phase: 'Running', state: ended(0, 'Completed') },
      {},
      { phase: 'succeeded' },
    ],
    [
      'failed before its Pod says so',
      { phase: 'Running', state: ended(3) },
      {},
      { phase: 'failed', exitCode: 3, reason: 'Error' },
    ],
    [
      'between two runs',
      { phase: 'Running', restartPolicy: 'OnFailure', state: ended(3) },
      {},
      { phase: 'running', reason: 'Restarting', exitCode: 3 },
    ],
    [
      'held back before its next run',
      {
        phase: 'Running',
        restartPolicy: 'Always',
        restartCount: 2,
        state: { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: ended(1),
      },
      {},
      { phase: 'running', reason: 'Restarting', restarts: 2 },
    ],
    ['out of memory', { phase: 'Failed', state: ended(137, 'OOMKilled') }, {}, { reason: 'OOMKilled', exitCode: 137 }],
    [
      'a command that is not there',
      { phase: 'Failed', state: ended(128, 'StartError', 'exec: "nope": executable file not found in $PATH: unknown') },
      {},
      { reason: 'CannotStart', description: 'the image has no command "nope"; check command and entrypoint' },
    ],
    [
      'over its life-span',
      { phase: 'Failed', reason: 'DeadlineExceeded', state: ended(143) },
      {},
      { reason: 'LifeSpanEnded' },
    ],
    [
      'lost by its node, which was started anew',
      { phase: 'Failed', state: ended(255, 'Unknown') },
      {},
      { reason: 'NodeLost', description: 'its node was started anew while it ran', putOut: true, ofItself: false },
    ],
    [
      'lost by its kubelet',
      { phase: 'Failed', state: ended(137, 'ContainerStatusUnknown') },
      {},
      { reason: 'NodeLost', description: 'its node lost sight of the container', putOut: true, ofItself: false },
    ],
    [
      'ended with 255 by its own program',
      { phase: 'Failed', state: ended(255) },
      {},
      { reason: 'Error', description: 'its container ended with exit code 255', putOut: false, ofItself: true },
    ],
    ['still ending', { phase: 'Failed', reason: 'DeadlineExceeded', state: { running: {} } }, {}, { phase: 'running' }],
    ['put out', { phase: 'Failed', reason: 'Evicted' }, {}, { phase: 'failed', reason: 'Evicted' }],
    [
      'lost with its node',
      { phase: 'Running', state: { running: {} }, deletionTimestamp: '2026-01-01T00:00:00Z' },
      {},
      { phase: 'failed', reason: 'NodeLost' },
    ],
  ];
  test.each(table)('%s', (_name, given, context, expected) => {
    expect(observePod(podOf(given), { ...calm, ...context })).toMatchObject(expected);
  });

  test('ended only when its container is', () => {
    expect(hasEnded(podOf({ phase: 'Failed', state: { running: {} } }))).toBe(false);
    expect(hasEnded(podOf({ phase: 'Running', restartPolicy: 'Always', state: ended(0) }))).toBe(false);
    expect(hasEnded(podOf({ phase: 'Running', restartPolicy: 'OnFailure', state: ended(0) }))).toBe(true);
    expect(hasEnded(podOf({ phase: 'Failed' }))).toBe(true);
  });
});

describe('an end is its own', () => {
  test.each<[string, Given, boolean]>([
    ['when nobody had asked for it', { phase: 'Failed', state: ended(1) }, true],
    ['also when the kubelet has told of the container alone', { phase: 'Running', state: ended(0) }, true],
    ['not while it runs', { phase: 'Running', state: { running: {} } }, false],
    [
      'not by the deadline that ends it',
      { phase: 'Failed', reason: 'DeadlineExceeded', deadline: 1, state: ended(143) },
      false,
    ],
    [
      'not where only its container is told of after that was set',
      { phase: 'Running', deadline: 1, state: ended(0) },
      false,
    ],
    ['when it was over before the deadline was seen', { phase: 'Succeeded', deadline: 1, state: ended(0) }, true],
    [
      'not when its Pod is deleted',
      { phase: 'Succeeded', deletionTimestamp: '2026-01-01T00:09:50Z', state: ended(0) },
      false,
    ],
    ['not when its node puts it out', { phase: 'Failed', reason: 'Evicted' }, false],
  ])('%s', (_, given, ofItself) => {
    expect(observePod(podOf(given), calm).ofItself).toBe(ofItself);
  });
});

test.each([
  ['is written on it', { 'delos.dev/run': '3' }, 3],
  ['of a Pod that an older agent made is the first', {}, 0],
])('the run that a Pod is %s', (_, labels, run) => {
  expect(observePod(podOf({ phase: 'Running', labels }), calm).run).toBe(run);
});

describe('what a job runs on', () => {
  const [debian, other] = ['a', 'b'].map((letter) => `sha256:${letter.repeat(64)}`);
  const standIns = new Map([[debian ?? '', 'Debian 12 (bookworm)']]);

  test.each([
    ['a stand-in', `docker.io/library/ubuntu@${debian}`, 'Debian 12 (bookworm)'],
    ['what it asked for, under the same name', `docker.io/library/ubuntu@${other}`, null],
    ['nothing yet', '', null],
  ])('%s', (_name, imageID, standIn) => {
    const pod = podOf({ phase: 'Running', state: { running: {} }, imageID });
    expect(observePod(pod, { ...calm, standIns }).standIn).toBe(standIn);
  });
});

test('a registry that DNS does not know is named, and that it is not known', () => {
  expect(explainPull('nope:1', 'ErrImagePull', unreachable)).toMatchObject({
    final: false,
    unknownHost: true,
    description: expect.stringMatching(/docker\.io cannot be reached \(DNS does not know its name\)/),
  });
});
