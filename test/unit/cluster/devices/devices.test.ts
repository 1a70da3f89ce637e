import { devicesOf, type NodeObject } from '@delos/cluster';
import { describe, expect, test } from 'vitest';

const GIB = 2 ** 30;
const node = (capacity: Record<string, string>, labels: Record<string, string> = {}): NodeObject => ({
  metadata: { name: 'n', labels },
  status: { capacity, allocatable: capacity },
});
const PCI = 'feature.node.kubernetes.io/pci-';

describe('the GPUs of a node', () => {
  test.each([
    [
      'NVIDIA, from the labels of GPU Feature Discovery',
      { 'nvidia.com/gpu': '8' },
      { 'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-80GB', 'nvidia.com/gpu.memory': '81920' },
      { field: 'nvidiaGpu', count: 8, model: 'A100-SXM4-80GB', memory: 80 * GIB },
    ],
    [
      'slices of one size, as the strategy `single` announces them',
      { 'nvidia.com/gpu': '7' },
      { 'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-40GB-MIG-1g.5gb', 'nvidia.com/gpu.memory': '4864' },
      { field: 'nvidiaGpu', count: 7, model: 'A100-SXM4-40GB-MIG-1g.5gb', memory: 4864 * 2 ** 20 },
    ],
    [
      'AMD, from its node labeller',
      { 'amd.com/gpu': '8' },
      { 'amd.com/gpu.product-name': 'AMD_Instinct_MI300X_OAM', 'amd.com/gpu.vram': '192G' },
      { field: 'amdGpu', count: 8, model: 'Instinct_MI300X_OAM', memory: 192 * GIB },
    ],
    [
      'Intel, from the rules of its plugins',
      { 'gpu.intel.com/i915': '2' },
      { 'gpu.intel.com/product': 'Max_1550' },
      { field: 'intelGpu', count: 2, model: 'Max_1550', memory: undefined },
    ],
  ])('%s', (_name, capacity, labels, gpus) => {
    expect(devicesOf(node(capacity, labels))).toMatchObject({ gpus: [gpus], lacks: [] });
  });

  test('a node without any has none, lacks nothing, and says its cores and memory', () => {
    expect(devicesOf(node({ cpu: '15500m', memory: '64Gi' }))).toMatchObject({
      gpus: [],
      lacks: [],
      cores: 15.5,
      memory: 64 * GIB,
    });
  });

  test('a memory that is no number is taken for unknown', () => {
    const labels = { 'nvidia.com/gpu.product': 'T4', 'nvidia.com/gpu.memory': 'much' };
    expect(devicesOf(node({ 'nvidia.com/gpu': '1' }, labels)).gpus[0]?.memory).toBeUndefined();
  });
});

describe('a node lacks', () => {
  test.each([
    [
      'a device on its bus that nothing announces',
      {},
      { [`${PCI}10de.present`]: 'true' },
      /NVIDIA.*no nvidia\.com\/gpu/,
    ],
    ['the same, named by class', {}, { [`${PCI}0302_10de.present`]: 'true' }, /NVIDIA.*driver or its device plugin/],
    ['a plugin that announces nothing', { 'nvidia.com/gpu': '0' }, { 'nvidia.com/gpu.present': 'true' }, /driver/],
    ['an accelerator of AMD', {}, { [`${PCI}1200_1002.present`]: 'true' }, /AMD.*no amd\.com\/gpu/],
    ['a data center GPU of Intel', {}, { [`${PCI}0380_8086.present`]: 'true' }, /Intel.*no gpu\.intel\.com\/i915/],
    [
      'a label of the model',
      { 'nvidia.com/gpu': '1' },
      {},
      /nvidia\.com\/gpu\.product.*GPU Feature Discovery is missing/,
    ],
    [
      'slices that a preset can name',
      { 'nvidia.com/mig-1g.5gb': '7', 'nvidia.com/gpu': '0' },
      {},
      /mig-1g\.5gb.*single/,
    ],
    ['the driver that presets know', { 'gpu.intel.com/xe': '1' }, {}, /gpu\.intel\.com\/xe.*i915/],
  ])('%s', (_name, capacity, labels, message) => {
    expect(devicesOf(node(capacity, labels)).lacks).toEqual([expect.stringMatching(message)]);
  });

  test.each([
    ['graphics in a CPU of Intel', { [`${PCI}0300_8086.present`]: 'true' }],
    ['a network card of NVIDIA', { [`${PCI}0200_10de.present`]: 'true' }],
    ['a processor of AMD', { 'feature.node.kubernetes.io/cpu-model.vendor_id': 'AMD' }],
    ['a device that is gone', { [`${PCI}10de.present`]: 'false' }],
  ])('nothing for %s', (_name, labels) => {
    expect(devicesOf(node({}, labels)).lacks).toEqual([]);
  });

  test('the devices that are not healthy, and still counts them as its own', () => {
    const labels = { 'nvidia.com/gpu.product': 'NVIDIA-H100-80GB-HBM3' };
    const { metadata } = node({}, labels);
    const status = { capacity: { 'nvidia.com/gpu': '8' }, allocatable: { 'nvidia.com/gpu': '6' } };
    const found = devicesOf({ metadata, status });
    expect(found.gpus[0]?.count).toBe(8);
    expect(found.lacks).toEqual(['2 of its 8 nvidia.com/gpu are not healthy: `kubectl describe node n`']);
  });
});
