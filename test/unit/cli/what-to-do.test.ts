import { expect, test } from 'vitest';
import { whatToDo } from '../../../cli/src/commands/observe/what-to-do.ts';

test.each([
  ['Pod redis-0: container redis: ErrImagePull: not found', /`delos up` builds and delivers images/],
  ['Pod x: container x: CrashLoopBackOff, exited with code 137 (OOMKilled)', /more memory/],
  ['Pod x: Unschedulable: 0/1 nodes are available: 1 Insufficient memory.', /`delos kubectl describe nodes`/],
  ['Pod x: FailedMount: MountVolume.SetUp failed for volume "data"', /`delos kubectl get pvc,pv -A`/],
  ['last event: FailedCreate: pods "x" is forbidden: exceeded quota', /quota and policies/],
  ['Pod x: container x: CrashLoopBackOff, exited with code 1, last log line: no database', /^`delos logs redis`$/],
  ['Pod x: no event yet', /`delos up` repairs/],
])('%s: %s', (message, expected) => {
  expect(whatToDo('redis', message)).toMatch(expected);
});
