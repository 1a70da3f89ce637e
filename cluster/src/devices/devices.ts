import { GPU_FIELDS, GPU_KINDS, type GpuField, parseQuantity } from '@delos/core';
import { z } from 'zod';

/*
 * What a node says of its devices: how many are announced by a device plugin, and what labels tell of them. Who writes
 * which label:
 * https://github.com/NVIDIA/k8s-device-plugin/blob/main/docs/gpu-feature-discovery/README.md
 * https://github.com/ROCm/k8s-device-plugin/blob/master/cmd/k8s-node-labeller/README.md
 * https://intel.github.io/intel-device-plugins-for-kubernetes/cmd/gpu_plugin/labels.html
 * https://kubernetes-sigs.github.io/node-feature-discovery/stable/usage/features.html (pci-CLASS_VENDOR.present)
 */

/** A Node object, as far as its devices go. */
export const nodeObject = z.object({
  metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
  status: z.object({
    capacity: z.record(z.string(), z.string()).default({}),
    allocatable: z.record(z.string(), z.string()).default({}),
  }),
});
export type NodeObject = z.infer<typeof nodeObject>;
export const nodeObjects = z.object({ items: z.array(nodeObject) });

/** Like devices of a node. */
export interface NodeGpus {
  readonly field: GpuField;
  /** Devices that Pods can ask for: slices or shares where the plugin divides them. */
  readonly count: number;
  /** As labels tell it; undefined where none does. */
  readonly model: string | undefined;
  /** Bytes of one device; undefined where no label tells. */
  readonly memory: number | undefined;
}

export interface NodeDevices {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly gpus: readonly NodeGpus[];
  /** It has devices that nothing announces: what it will be is not known yet. */
  readonly unannounced: boolean;
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
  /** Drivers, plugins and labels that are missing, each a sentence about the node. */
  readonly lacks: readonly string[];
}

interface Kind {
  readonly model: (labels: Labels) => string | undefined;
  readonly memory: (labels: Labels) => number | undefined;
  /** Whether the node has such a device, whatever is announced. */
  readonly seen: (labels: Labels) => boolean;
  readonly labeller: string;
  readonly modelLabel: string;
}
type Labels = Readonly<Record<string, string>>;

const MIB = 2 ** 20;
/** NFD names what it finds on the PCI bus by class and vendor, or by vendor alone. */
const pci = (labels: Labels, vendor: string, classes: string): boolean =>
  Object.entries(labels).some(
    ([key, value]) =>
      value === 'true' &&
      new RegExp(`^feature\\.node\\.kubernetes\\.io/pci-${classes}${vendor}(_[0-9a-f_]+)?\\.present$`).test(key),
  );

const NVIDIA = GPU_KINDS.nvidiaGpu.resource;
const AMD = GPU_KINDS.amdGpu.resource;
const KINDS: Readonly<Record<GpuField, Kind>> = {
  nvidiaGpu: {
    model: (labels) => labels[`${NVIDIA}.product`]?.replace(/^NVIDIA-/, ''),
    memory: (labels) => times(labels[`${NVIDIA}.memory`], MIB),
    seen: (labels) => pci(labels, '10de', '(03[0-9a-f]{2}_)?') || labels[`${NVIDIA}.present`] === 'true',
    labeller: 'GPU Feature Discovery',
    modelLabel: `${NVIDIA}.product`,
  },
  amdGpu: {
    model: (labels) => labels[`${AMD}.product-name`]?.replace(/^AMD_/, ''),
    // The labeller writes whole gibibytes as `192G`.
    memory: (labels) => times(/^(\d+)Gi?$/.exec(labels[`${AMD}.vram`] ?? '')?.[1], 1024 * MIB),
    seen: (labels) => pci(labels, '1002', '(03|12)[0-9a-f]{2}_'),
    labeller: 'AMD’s node labeller',
    modelLabel: `${AMD}.product-name`,
  },
  intelGpu: {
    model: (labels) => labels['gpu.intel.com/product'],
    memory: () => undefined,
    // Class 0300 is also the graphics in a CPU, of which nobody misses a plugin.
    seen: (labels) => pci(labels, '8086', '0380_') || labels['gpu.intel.com/product'] !== undefined,
    labeller: 'the rules of Intel’s device plugins for Node Feature Discovery',
    modelLabel: 'gpu.intel.com/product',
  },
};

function times(text: string | undefined, unit: number): number | undefined {
  return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) * unit : undefined;
}

/** What a node has, and what it lacks for its devices to be of use. */
export function devicesOf({ metadata: { name, labels }, status: { capacity, allocatable } }: NodeObject): NodeDevices {
  const amount = (quantity: string | undefined): number => Number(parseQuantity(quantity ?? '0') ?? 0n) / 1e9;
  const gpus = GPU_FIELDS.flatMap((field): readonly NodeGpus[] => {
    const count = amount(capacity[GPU_KINDS[field].resource]);
    if (count === 0) return [];
    return [{ field, count, model: KINDS[field].model(labels), memory: KINDS[field].memory(labels) }];
  });
  const lacks = GPU_FIELDS.flatMap((field) => {
    const { resource, vendor } = GPU_KINDS[field];
    const count = amount(capacity[resource]);
    const divided = Object.keys(capacity).filter((key) => key.startsWith('nvidia.com/mig-') && field === 'nvidiaGpu');
    if (count === 0 && divided.length > 0) {
      return [
        `its MIG slices are ${divided.join(', ')}, which no preset can ask for: set the plugin’s strategy \`single\``,
      ];
    }
    if (count === 0 && field === 'intelGpu' && amount(capacity['gpu.intel.com/xe']) > 0) {
      return ['it announces gpu.intel.com/xe, which no preset can ask for: run the plugin on the driver i915'];
    }
    if (count === 0) {
      return KINDS[field].seen(labels)
        ? [
            `it has a GPU of ${vendor}, and announces no ${resource}: its driver or its device plugin is missing or not ready`,
          ]
        : [];
    }
    const well = amount(allocatable[resource]);
    return [
      ...(well < count
        ? [`${count - well} of its ${count} ${resource} are not healthy: \`kubectl describe node ${name}\``]
        : []),
      ...(KINDS[field].model(labels) === undefined
        ? [
            `no label ${KINDS[field].modelLabel} tells the model of its ${resource}: ${KINDS[field].labeller} is missing`,
          ]
        : []),
    ];
  });
  const unannounced = GPU_FIELDS.some(
    (field) => KINDS[field].seen(labels) && amount(capacity[GPU_KINDS[field].resource]) === 0,
  );
  return { name, labels, gpus, unannounced, cores: amount(capacity.cpu), memory: amount(capacity.memory), lacks };
}
