import { expect, test } from 'vitest';
import { type ClusterVolumes, type Nodes, volumesOfLostNodes } from '../../../cli/src/commands/observe/lost-volumes.ts';

const node = (name: string, ready: string): Nodes[number] => ({
  metadata: { name, labels: { 'kubernetes.io/hostname': `host-${name}` } },
  status: { conditions: [{ type: 'Ready', status: ready }] },
});
const volume = (name: string, ...hosts: readonly string[]): ClusterVolumes[number] => ({
  spec: {
    capacity: { storage: '10Gi' },
    claimRef: { namespace: 'delos', name },
    nodeAffinity: {
      required: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [...hosts] }] },
        ],
      },
    },
  },
});
const anywhere: ClusterVolumes[number] = { spec: { capacity: {}, claimRef: { namespace: 'delos', name: 'nfs' } } };

test('what lies on a lost node alone is named, with its size, by the node', () => {
  const nodes = [node('node-1', 'True'), node('node-2', 'Unknown'), node('node-3', 'False')];
  const volumes = [
    volume('data-postgres-1', 'host-node-2'),
    volume('data-prometheus-0', 'host-node-1'),
    volume('data-both', 'host-node-1', 'host-node-2'),
    volume('a-disk', 'host-node-2'),
    anywhere,
  ];
  expect(volumesOfLostNodes(nodes, volumes)).toEqual([
    {
      message: 'node-2 is not ready, and on it alone lie delos/a-disk (10Gi), delos/data-postgres-1 (10Gi)',
      todo: 'bring the node back: they come back with it, and what needs them waits for it',
    },
  ]);
});

test('while all nodes are ready, nothing is lost', () => {
  expect(volumesOfLostNodes([node('node-1', 'True')], [volume('data', 'host-node-1')])).toEqual([]);
});
