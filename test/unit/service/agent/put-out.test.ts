import { expect, test } from 'vitest';
import { observePod } from '../../../../runtime/service/src/agent/jobs/observe.ts';
import { podShape } from '../../../../runtime/service/src/agent/jobs/pod-shape.ts';

const JOB = 'job-00000000-0000-4000-8000-000000000001';
const AT = '2026-01-01T00:05:00Z';
const target = (reason: string) => ({ type: 'DisruptionTarget', status: 'True', reason, lastTransitionTime: AT });
const drained = [target('EvictionByEvictionAPI')];
const ended = (exitCode: number, finishedAt = AT) => ({ terminated: { exitCode, reason: 'Error', finishedAt } });

const DELETED = { deletionTimestamp: '2026-01-01T00:05:30Z', deletionGracePeriodSeconds: 30 };

type Fields = Readonly<Record<string, unknown>>;

function observed(status: Fields, state?: Fields, deleted: Fields = DELETED) {
  const pod = podShape.parse({
    metadata: { name: JOB, uid: 'u', ...deleted },
    spec: { nodeName: 'node-1', restartPolicy: 'Always', containers: [{ name: 'main' }] },
    status: { phase: 'Failed', ...status, containerStatuses: state === undefined ? [] : [{ name: 'main', state }] },
  });
  return observePod(pod, { lastEvent: undefined, standIns: new Map(), pullFailingMs: 0, now: new Date(AT) });
}

test.each([
  ['a drain', { conditions: drained }, ended(143), 'its node node-1 is being drained'],
  [
    'a drain that it took for a good end',
    { phase: 'Succeeded', conditions: drained },
    ended(0),
    'its node node-1 is being drained',
  ],
  ['a drain before it ran', { conditions: drained }, undefined, 'its node node-1 is being drained'],
  [
    'a taint',
    { conditions: [target('DeletionByTaintManager')] },
    ended(143),
    'its node node-1 was closed to it by a taint, or does not answer any more',
  ],
  ['a node that is gone', { conditions: [target('DeletionByPodGC')] }, undefined, 'its node node-1 is gone'],
  [
    'a shutdown',
    { reason: 'Terminated', conditions: [target('TerminationByKubelet')] },
    ended(143),
    'its node node-1 was shut down',
  ],
  ['who deletes its Pod', {}, ended(143), 'its Pod was deleted from outside'],
  [
    'a drain, its container told of first',
    { phase: 'Running', conditions: drained },
    ended(143),
    'its node node-1 is being drained',
  ],
])('put out: %s', (_what, status, state, description) => {
  expect(observed(status, state)).toMatchObject({
    phase: 'failed',
    reason: 'Evicted',
    putOut: true,
    ofItself: false,
    description,
  });
});

test.each([
  [
    'had ended before',
    { phase: 'Succeeded', conditions: drained },
    ended(0, '2026-01-01T00:04:59Z'),
    { phase: 'succeeded' },
  ],
  ['had failed before', { conditions: drained }, ended(3, '2026-01-01T00:04:59Z'), { phase: 'failed', exitCode: 3 }],
  [
    'used up the disk of its node',
    { reason: 'Evicted', message: 'low on disk', conditions: [target('TerminationByKubelet')] },
    ended(137),
    { phase: 'failed', reason: 'Evicted', description: 'its node put it out: low on disk' },
  ],
  ['had failed before it was deleted', {}, ended(3, '2026-01-01T00:04:59Z'), { phase: 'failed', reason: 'Error' }],
  ['is still leaving', { phase: 'Running', conditions: drained }, { running: {} }, { phase: 'running' }],
])('not put out: it %s', (_what, status, state, is) => {
  expect(observed(status, state)).toMatchObject({ ...is, putOut: false });
});

test('not put out: it is threatened no more', () => {
  const conditions = [{ ...target('EvictionByEvictionAPI'), status: 'False' }];
  expect(observed({ conditions }, ended(1), {})).toMatchObject({ reason: 'Error', putOut: false });
});
