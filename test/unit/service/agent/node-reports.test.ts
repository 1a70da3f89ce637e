import { describe, expect, test } from 'vitest';
import { nodeShape, podUsageShape } from '../../../../runtime/service/src/agent/jobs/pod-shape.ts';
import { nodeReports } from '../../../../runtime/service/src/agent/nodes/reports.ts';

const node = (name: string, extra: { readonly labels?: object; readonly spec?: object } = {}) =>
  nodeShape.parse({
    metadata: { name, uid: name, labels: extra.labels ?? {} },
    ...(extra.spec === undefined ? {} : { spec: extra.spec }),
    status: {
      allocatable: { cpu: '4', memory: '8Gi', pods: '110', 'nvidia.com/gpu': '2', 'hugepages-2Mi': '0' },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  });
const taint = (key: string, effect = 'NoSchedule') => ({ spec: { taints: [{ key, effect }] } });

describe('what the agent reports of a node', () => {
  test('what it can allocate less what other Pods than jobs asked for', () => {
    const pod = (name: string, labels: object) =>
      podUsageShape.parse({
        metadata: { name, uid: name, labels },
        spec: { nodeName: 'a', containers: [{ resources: { requests: { cpu: '500m', memory: '1Gi' } } }] },
      });
    const reports = nodeReports([node('a')], [pod('dns', {}), pod('job', { 'delos.dev/job': 'job-1' })], undefined);
    expect(reports).toMatchObject([
      {
        name: 'a',
        ready: true,
        schedulable: true,
        cpu: 3.5,
        memory: 7 * 2 ** 30,
        pods: 109,
        extended: { 'nvidia.com/gpu': 2 },
      },
    ]);
    expect(Object.keys(reports[0]?.extended ?? {})).toEqual(['nvidia.com/gpu']);
  });

  test.each([
    ['its label says', { 'delos.dev/pool': 'gpu' }, 'default', 'gpu'],
    ['without a label, that of the only pool', {}, 'default', 'default'],
    ['without a label, none where there are several', {}, undefined, null],
  ])('its pool is what %s', (_, labels, onlyPool, pool) => {
    expect(nodeReports([node('a', { labels })], [], onlyPool)[0]?.pool).toBe(pool);
  });

  test.each([
    ['cordoned', { spec: { unschedulable: true } }, false],
    ['the control plane’s', taint('node-role.kubernetes.io/control-plane'), false],
    ['being emptied', taint('maintenance', 'NoExecute'), false],
    ['better left alone', taint('maintenance', 'PreferNoSchedule'), true],
    ['kept for GPUs', taint('nvidia.com/gpu'), true],
    ['plain', {}, true],
  ])('a node that is %s takes jobs: schedulable %#', (_, extra, schedulable) => {
    expect(nodeReports([node('a', extra)], [], 'default')[0]?.schedulable).toBe(schedulable);
  });

  test('taints that jobs with such a device tolerate, once each', () => {
    const key = 'nvidia.com/gpu';
    const taints = [
      { key, effect: 'NoSchedule' },
      { key, effect: 'NoExecute' },
      { key: 'amd.com/gpu', effect: 'PreferNoSchedule' },
    ];
    expect(nodeReports([node('a', { spec: { taints } })], [], 'default')[0]?.taints).toEqual([key]);
    expect(nodeReports([node('a', taint('maintenance'))], [], 'default')[0]?.taints).toEqual([]);
  });
});
