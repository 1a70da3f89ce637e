import { describe, expect, test } from 'vitest';
import { observePod } from '../../../../runtime/service/src/agent/jobs/observe.ts';
import { podShape } from '../../../../runtime/service/src/agent/jobs/pod-shape.ts';

interface Refused {
  readonly reason: string;
  readonly message?: string;
  readonly containerStatuses?: readonly unknown[];
  readonly conditions?: readonly unknown[];
}

const told = (status: Refused) =>
  observePod(
    podShape.parse({
      metadata: { name: 'job-00000000-0000-4000-8000-000000000001', namespace: 'p', uid: 'u' },
      spec: { nodeName: 'node-1', restartPolicy: 'Never', containers: [{ name: 'main', image: 'x' }] },
      status: { phase: 'Failed', startTime: '2026-01-01T00:00:00Z', ...status },
    }),
    { lastEvent: undefined, standIns: new Map(), pullFailingMs: 0, now: new Date('2026-01-01T00:10:00Z') },
  );
const main = (state: unknown, lastState: unknown = {}): readonly unknown[] => [
  { name: 'main', restartCount: 0, state, lastState },
];

describe('a Pod is refused by its kubelet', () => {
  // Messages of kubelets 1.20 to 1.34.
  test.each([
    ['OutOfcpu', 'Pod was rejected: Node didn’t have enough resource: cpu, requested: 500, used: 1900, capacity: 2000'],
    ['OutOfmemory', 'Node didn’t have enough resource: memory, requested: 1, used: 2, capacity: 2'],
    ['OutOfpods', 'Pod Node didn’t have enough capacity: pods, requested: 1, used: 110, capacity: 110'],
    ['OutOfephemeral-storage', ''],
    [
      'OutOfnvidia.com/gpu',
      'Pod was rejected: Node didn’t have enough resource: nvidia.com/gpu, requested: 1, used: 2, capacity: 1',
    ],
    ['OutOfamd.com/gpu', ''],
    [
      'NodeAffinity',
      'Pod was rejected: Predicate NodeAffinity failed: node(s) didn’t match Pod’s node affinity/selector',
    ],
    ['NodeAffinity', 'Pod Predicate NodeAffinity failed'],
    ['NodePorts', 'Pod was rejected: Predicate NodePorts failed'],
    [
      'TaintToleration',
      'Pod was rejected: Predicate TaintToleration failed: node(s) had taints that the pod didn’t tolerate',
    ],
    ['TopologyAffinityError', 'Pod was rejected: Resources cannot be allocated with Topology locality'],
    ['SMTAlignmentError', 'SMT Alignment Error: requested 3 cpus not multiple cpus per core = 2'],
    [
      'UnexpectedAdmissionError',
      'Pod was rejected: Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0, which is unexpected',
    ],
    [
      'UnexpectedAdmissionError',
      'Pod Unexpected error while attempting to recover from admission failure: preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: [(res: pods, q: 1), ]',
    ],
    ['NodeShutdown', 'Pod was rejected as the node is shutting down.'],
    ['VolumeAttachmentLimitExceeded', 'Pod was rejected: node has no more attachable volumes'],
    ['Evicted', 'Pod was rejected: The node had condition: [DiskPressure]. '],
    ['Evicted', 'Pod The node had condition: [MemoryPressure]. '],
    ['SomethingNew', 'Pod was rejected: for a reason of a kubelet to come'],
  ])('%s: %s', (reason, message) => {
    expect(told({ reason, message })).toMatchObject({
      phase: 'failed',
      reason: 'NoCapacity',
      refused: true,
      description: expect.stringMatching(/^node node-1 refused it: .* \(\S+\)$/),
    });
    // Kubelets from 1.33 on keep what they knew of its containers.
    const containerStatuses = main({ waiting: { reason: 'ContainerCreating' } });
    expect(told({ reason, message, containerStatuses }).refused).toBe(true);
  });
});

test('a Pod that is drained before a container of it has started never ran', () => {
  const conditions = [{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }];
  expect(
    told({ reason: '', conditions, containerStatuses: main({ waiting: { reason: 'ImagePullBackOff' } }) }),
  ).toMatchObject({
    reason: 'Evicted',
    refused: true,
    putOut: true,
  });
});

describe('a Pod is not refused', () => {
  test.each<[string, Refused]>([
    ['that has run and ended', { reason: '', containerStatuses: main({ terminated: { exitCode: 1 } }) }],
    [
      'that has run before',
      { reason: 'OutOfcpu', containerStatuses: main({ waiting: {} }, { terminated: { exitCode: 1 } }) },
    ],
    [
      'that used up the disk of its node',
      { reason: 'Evicted', message: 'The node was low on resource: ephemeral-storage.' },
    ],
    ['that is over its time', { reason: 'DeadlineExceeded' }],
    ['that failed without a word', { reason: '' }],
  ])('%s', (_, status) => {
    expect(told(status).refused).toBe(false);
  });
});

test('a pull that is tried again is told as one, and what no new try can help ends the job', () => {
  const pod = (message: string) =>
    observePod(
      podShape.parse({
        metadata: { name: 'job-00000000-0000-4000-8000-000000000001', namespace: 'p', uid: 'u' },
        spec: { nodeName: 'node-1', restartPolicy: 'Never', containers: [{ name: 'main', image: 'x' }] },
        status: { phase: 'Pending', containerStatuses: main({ waiting: { reason: 'ImagePullBackOff', message } }) },
      }),
      {
        lastEvent: { reason: 'Pulling', message: 'Pulling image "x"' },
        standIns: new Map(),
        pullFailingMs: 90_000,
        now: new Date('2026-01-01T00:10:00Z'),
      },
    );
  expect(pod('unexpected status: 503 Service Unavailable')).toMatchObject({ phase: 'pending', reason: 'Pulling' });
  expect(pod('docker.io/library/x:latest: not found')).toMatchObject({ phase: 'failed', reason: 'ErrImagePull' });
});
