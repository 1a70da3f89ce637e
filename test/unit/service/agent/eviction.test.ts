import { expect, test } from 'vitest';
import { explainEviction } from '../../../../runtime/service/src/agent/eviction.ts';

test.each([
  [
    'Pod ephemeral local storage usage exceeds the total limit of containers 64Mi. ',
    'it used more local disk than its preset has (64Mi); choose a preset with more disk, or write to a volume',
  ],
  [
    'Container main exceeded its local ephemeral storage limit "67108864". ',
    'it used more local disk than its preset has (64Mi); choose a preset with more disk, or write to a volume',
  ],
  [
    'Usage of EmptyDir volume "shm" exceeds the limit "128Mi". ',
    'it wrote more to /dev/shm than its preset has memory (128Mi)',
  ],
  [
    'The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 900Mi. Container main was using 5Gi, request is 64Mi, has larger consumption of ephemeral-storage. ',
    'its node was short of disk space, of which it used 5Gi; jobs are ended there before the platform',
  ],
  [
    'The node was low on resource: inodes. Threshold quantity: 1800, available: 12. Container main was using 51234, request is 0, has larger consumption of inodes. ',
    'its node was short of room for further files (inodes), of which it used 51234; jobs are ended there before the platform',
  ],
  [
    'The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi. ',
    'its node was short of memory; jobs are ended there before the platform',
  ],
  ['something that a later kubelet says', 'its node put it out: something that a later kubelet says'],
  ['', 'its node put it out: Evicted'],
])('the kubelet’s %j is told as %j', (message, expected) => {
  expect(explainEviction(message)).toBe(expected);
});
