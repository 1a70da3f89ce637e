import type { JsonObject } from '@delos/kube';
import { describe, expect, test } from 'vitest';
import { judge } from '../../../stacks/src/await/judge.ts';
import { explainPod } from '../../../stacks/src/await/pods.ts';
import { ALONE, type Surroundings } from '../../../stacks/src/await/verdict.ts';

const condition = (type: string, status: string, more: object = {}): JsonObject => ({ type, status, ...more });
const deployment = (replicas: number, status: JsonObject, generation = 2): JsonObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { generation },
  spec: { replicas },
  status,
});
const workload = (kind: string, spec: JsonObject, status: JsonObject): JsonObject => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { generation: 1 },
  spec,
  status: { observedGeneration: 1, ...status },
});
const of = (apiVersion: string, kind: string, status: JsonObject, spec: JsonObject = {}): JsonObject => ({
  apiVersion,
  kind,
  metadata: {},
  spec,
  status,
});
const slice = (ready: boolean): JsonObject => ({ endpoints: [{ conditions: { ready } }] });
const resting = (replicas: number): JsonObject => ({
  spec: { replicas, template: { metadata: { labels: { app: 'a' } } } },
});

type Row = readonly [string, JsonObject, 'ready' | 'waiting' | 'failed', (string | undefined)?, Partial<Surroundings>?];
const done = { observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2 };
const stalled = condition('Progressing', 'False', { reason: 'ProgressDeadlineExceeded' });

const ROWS: readonly Row[] = [
  [
    'a Deployment whose status is of an earlier form',
    deployment(2, { ...done, observedGeneration: 1 }),
    'waiting',
    'not seen by its controller yet',
  ],
  ['a Deployment with all replicas new and available', deployment(2, done), 'ready'],
  ['a Deployment with one of two available', deployment(2, { ...done, availableReplicas: 1 }), 'waiting', '1/2 ready'],
  ['a Deployment that is being updated', deployment(2, { ...done, updatedReplicas: 1 }), 'waiting', '1/2 updated'],
  [
    'a Deployment with an old Pod left',
    deployment(2, { ...done, replicas: 3 }),
    'waiting',
    '2/2 ready, 1 of the former version still there',
  ],
  [
    'a Deployment past its progress deadline',
    deployment(2, { ...done, availableReplicas: 0, conditions: [stalled] }),
    'failed',
    '0/2 ready, no progress within 600 s',
  ],
  [
    'a Deployment that an earlier form of it had left past its deadline',
    deployment(2, { ...done, availableReplicas: 0, conditions: [stalled] }),
    'waiting',
    '0/2 ready',
    { before: deployment(2, { conditions: [stalled] }, 1) },
  ],
  [
    'a Deployment that is past its deadline once more',
    deployment(2, {
      ...done,
      availableReplicas: 0,
      conditions: [{ ...stalled, lastUpdateTime: '2026-11-29T22:32:27Z' }],
    }),
    'failed',
    '0/2 ready, no progress within 600 s',
    { before: deployment(2, { conditions: [stalled] }, 1) },
  ],
  ['a Deployment of no replicas', deployment(0, { observedGeneration: 2 }), 'ready'],
  [
    'a StatefulSet with all Pods new and ready',
    workload('StatefulSet', { replicas: 1 }, { replicas: 1, readyReplicas: 1, updatedReplicas: 1 }),
    'ready',
  ],
  [
    'a StatefulSet whose Pod is of the former version',
    workload('StatefulSet', { replicas: 1 }, { replicas: 1, readyReplicas: 1 }),
    'waiting',
    '0/1 updated',
  ],
  [
    'a StatefulSet updated on deletion only',
    workload('StatefulSet', { replicas: 1, updateStrategy: { type: 'OnDelete' } }, { replicas: 1, readyReplicas: 1 }),
    'ready',
  ],
  [
    'a DaemonSet with a node to go',
    workload('DaemonSet', {}, { desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 1 }),
    'waiting',
    '1/2 nodes ready',
  ],
  ['a DaemonSet that fits no node', workload('DaemonSet', {}, {}), 'ready'],
  ['a completed Job', of('batch/v1', 'Job', { conditions: [condition('Complete', 'True')] }), 'ready'],
  ['a running Job', of('batch/v1', 'Job', { succeeded: 1 }, { completions: 3 }), 'waiting', '1/3 completed'],
  [
    'a failed Job',
    of('batch/v1', 'Job', { conditions: [condition('Failed', 'True', { reason: 'BackoffLimitExceeded' })] }),
    'failed',
    'BackoffLimitExceeded',
  ],
  ['a suspended Job', of('batch/v1', 'Job', {}, { suspend: true }), 'ready'],
  ['a Pod that runs and is not ready', of('v1', 'Pod', { phase: 'Running' }), 'waiting', 'running, not ready yet'],
  ['a Pod that has succeeded', of('v1', 'Pod', { phase: 'Succeeded' }), 'ready'],
  ['a bound claim', of('v1', 'PersistentVolumeClaim', { phase: 'Bound' }), 'ready'],
  ['an unbound claim', of('v1', 'PersistentVolumeClaim', { phase: 'Pending' }), 'waiting', 'not bound to a volume yet'],
  [
    'a claim that is bound at its first use',
    of('v1', 'PersistentVolumeClaim', { phase: 'Pending' }),
    'ready',
    undefined,
    { storageClass: { volumeBindingMode: 'WaitForFirstConsumer' } },
  ],
  [
    'a claim that lost its volume',
    of('v1', 'PersistentVolumeClaim', { phase: 'Lost' }),
    'failed',
    'its volume is lost',
  ],
  [
    'a Service without a ready endpoint',
    of('v1', 'Service', {}, { selector: { app: 'a' } }),
    'waiting',
    'no ready endpoint yet',
    { endpointSlices: [slice(false)] },
  ],
  [
    'a Service with a ready endpoint',
    of('v1', 'Service', {}, { selector: { app: 'a' } }),
    'ready',
    undefined,
    { endpointSlices: [slice(true)] },
  ],
  [
    'a Service of a workload at rest',
    of('v1', 'Service', {}, { selector: { app: 'a' } }),
    'ready',
    undefined,
    { workloads: [resting(0)] },
  ],
  [
    'a Service of a workload that starts',
    of('v1', 'Service', {}, { selector: { app: 'a' } }),
    'waiting',
    'no ready endpoint yet',
    { workloads: [resting(1)] },
  ],
  ['a Service without selector', of('v1', 'Service', {}, {}), 'ready'],
  ['a headless Service', of('v1', 'Service', {}, { clusterIP: 'None', selector: { app: 'a' } }), 'ready'],
  [
    'a LoadBalancer without address',
    of('v1', 'Service', { loadBalancer: {} }, { type: 'LoadBalancer' }),
    'waiting',
    'no load balancer address yet',
  ],
  [
    'an established definition',
    of('apiextensions.k8s.io/v1', 'CustomResourceDefinition', { conditions: [condition('Established', 'True')] }),
    'ready',
  ],
  [
    'a definition whose names are taken',
    of('apiextensions.k8s.io/v1', 'CustomResourceDefinition', {
      conditions: [condition('NamesAccepted', 'False', { reason: 'Conflict' })],
    }),
    'failed',
    'Conflict',
  ],
  [
    'an APIService that does not answer',
    of('apiregistration.k8s.io/v1', 'APIService', {
      conditions: [condition('Available', 'False', { reason: 'FailedDiscoveryCheck' })],
    }),
    'waiting',
    'FailedDiscoveryCheck',
  ],
  [
    'a namespace that is going',
    of('v1', 'Namespace', { phase: 'Terminating' }),
    'waiting',
    'phase Terminating, expected Active',
  ],
  ['a kind without readiness', of('v1', 'ConfigMap', {}), 'ready'],
];

describe('readiness', () => {
  for (const [name, object, state, message, around] of ROWS) {
    test(name, () => {
      const verdict = judge(object, { ...ALONE, ...around });
      expect(verdict).toEqual(message === undefined ? { state } : { state, message });
    });
  }
});

const pod = (status: JsonObject): JsonObject => ({ status });
const event = (type: string, reason: string, message: string): JsonObject => ({ type, reason, message });
const container = (more: JsonObject): JsonObject => ({
  containerStatuses: [{ name: 'main', ready: false, restartCount: 0, ...more }],
});

describe('why a Pod is not ready', () => {
  test.each([
    [
      'it fits no node',
      pod({
        conditions: [
          condition('PodScheduled', 'False', { reason: 'Unschedulable', message: '0/1 nodes are available' }),
        ],
      }),
      [],
      'Unschedulable: 0/1 nodes are available',
      false,
    ],
    [
      'its image cannot be pulled: the registry’s words, not "back-off"',
      pod(container({ state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off' } } })),
      [event('Warning', 'Failed', 'Failed to pull image "x": not found'), event('Normal', 'BackOff', 'Back-off')],
      'container main: ImagePullBackOff: Failed to pull image "x": not found',
      false,
    ],
    [
      'it crashes: with which code, and its log is asked for',
      pod(
        container({
          restartCount: 2,
          state: { waiting: { reason: 'CrashLoopBackOff' } },
          lastState: { terminated: { exitCode: 3, reason: 'Error' } },
        }),
      ),
      [],
      'container main: CrashLoopBackOff, exited with code 3',
      true,
    ],
    [
      'it ran out of memory',
      pod(
        container({
          restartCount: 1,
          state: { running: {} },
          lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
        }),
      ),
      [],
      'container main: restarted, exited with code 137 (OOMKilled)',
      true,
    ],
    [
      'its probe fails: the last warning',
      pod(container({ state: { running: {} } })),
      [event('Warning', 'Unhealthy', 'Readiness probe failed'), event('Normal', 'Started', 'Started')],
      'Unhealthy: Readiness probe failed',
      false,
    ],
    [
      'it only begins: the last event',
      pod(container({ state: { waiting: { reason: 'ContainerCreating' } } })),
      [event('Normal', 'Pulling', 'Pulling image')],
      'Pulling: Pulling image',
      false,
    ],
  ] as const)('%s', (_, object, events, message, hasLog) => {
    const trouble = explainPod(object, events);
    expect(trouble?.message).toBe(message);
    expect(trouble?.crashed !== undefined).toBe(hasLog);
  });
});
