import type { Node, Sharing } from './model.ts';
import { showAmount } from './quantities.ts';
import { milliOn, type Shape } from './shapes.ts';
import type { Path, SnapshotFault } from './snapshot-fault.ts';

/** What runs on one device. */
interface DeviceUse {
  milli: number;
  /** How those share it that have a part; undefined: it is one job's as a whole. */
  readonly sharing: Sharing | undefined;
  readonly job: string;
}

interface NodeUse {
  readonly index: number;
  /** By the field of the node that says how much of it there is. */
  readonly amounts: Map<string, number>;
  readonly devices: Map<number, DeviceUse>;
}

/** What running jobs take of each node, added up Pod by Pod; the Pod with which it becomes too much is told. */
export class RunningTotals {
  readonly #nodes: ReadonlyMap<string, NodeUse>;

  constructor(nodes: readonly Node[]) {
    this.#nodes = new Map(nodes.map(({ name }, index) => [name, { index, amounts: new Map(), devices: new Map() }]));
  }

  /** Takes all but numbered devices. Of each amount it is told once that there is too little. */
  take(node: Node, shape: Shape, path: Path): readonly SnapshotFault[] {
    const use = this.#nodes.get(node.name);
    if (use === undefined) return [];
    return needsOf(node, shape).flatMap(({ field, need, has, show }) => {
      const before = use.amounts.get(field) ?? 0;
      use.amounts.set(field, before + need);
      if (before > has || before + need <= has) return [];
      return [
        {
          path,
          message: `with this Pod node ${node.name} would hold ${show(before + need)}, more than its ${show(has)}`,
          hint: `move or end a job there, or correct nodes[${use.index}].${field}`,
        },
      ];
    });
  }

  /** Takes one device, whole or in part; what is not free stays whose it is. */
  takeDevice(
    node: Node,
    shape: Shape,
    { device, job }: { readonly device: number; readonly job: string },
    path: Path,
  ): readonly SnapshotFault[] {
    const devices = this.#nodes.get(node.name)?.devices;
    const need = shape.gpu;
    const milli = milliOn(need, node.gpu?.memoryMiB ?? 0);
    const sharing = need.kind === 'fraction' || need.kind === 'memory' ? need.sharing : undefined;
    const before = devices?.get(device);
    if (devices === undefined || milli === 0) return [];
    if (before === undefined) {
      devices.set(device, { milli, sharing, job });
      if (milli <= 1000) return [];
    } else if (sharing === before.sharing && before.milli + milli <= 1000) {
      before.milli += milli;
      return [];
    }
    const where = `device ${device} of node ${node.name}`;
    return [{ path, ...conflict(where, { milli, sharing }, before) }];
  }
}

function conflict(
  where: string,
  { milli, sharing }: { readonly milli: number; readonly sharing: Sharing | undefined },
  before: DeviceUse | undefined,
): Pick<SnapshotFault, 'message' | 'hint'> {
  if (before !== undefined && (sharing === undefined || before.sharing === undefined)) {
    return {
      message: `${where} is taken by job ${before.job}`,
      hint: 'name another, or the node that the job really runs on',
    };
  }
  if (before !== undefined && before.sharing !== sharing) {
    const message = `${where} is shared by ${before.sharing} (job ${before.job}), and this Pod shares it by ${sharing}`;
    return { message, hint: 'all that share one device do it in the same way' };
  }
  return {
    message: `parts of ${where} would be ${((before?.milli ?? 0) + milli) / 1000} together`,
    hint: 'they are 1 at most: name another device',
  };
}

interface Need {
  readonly field: string;
  readonly need: number;
  readonly has: number;
  show(amount: number): string;
}

function needsOf(node: Node, { milliCpu, memoryMiB, ephemeralMiB, gpu }: Shape): readonly Need[] {
  return [
    { field: 'milliCpu', need: milliCpu, has: node.milliCpu, show: (n) => showAmount('milliCpu', n) },
    { field: 'memoryMiB', need: memoryMiB, has: node.memoryMiB, show: (n) => `${n} MiB of memory` },
    { field: 'ephemeralMiB', need: ephemeralMiB, has: node.ephemeralMiB, show: (n) => `${n} MiB of ephemeral storage` },
    { field: 'pods', need: 1, has: node.pods, show: (n) => `${n} ${n === 1 ? 'Pod' : 'Pods'}` },
    ...(gpu.kind === 'slice'
      ? [
          {
            field: `slices["${gpu.profile}"]`,
            need: gpu.count,
            has: node.slices[gpu.profile] ?? 0,
            show: (n: number) => `${n} ${gpu.profile}`,
          },
        ]
      : []),
  ];
}
