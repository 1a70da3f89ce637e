import type { DelosConfig } from '@delos/constructs';
import { DelosError, GPU_FIELDS, type NodePool, POOL_LABEL } from '@delos/core';
import { isModel, type Machine, type Need, tryMachineFor } from './machines.ts';

const GIB = 2 ** 30;
/** What a node keeps for itself of what a preset must still find free: a part, and so many cores or GiB. */
const KEPT = { cpu: 0.3, memory: 1, share: 1.1 };

/** A set of like machines, as a provider is asked for it. */
export interface MachinePool {
  /** Value of the label {@link POOL_LABEL}. */
  readonly name: string;
  /** Type, as the provider has it. */
  readonly type: string;
  /** What is known of the type; undefined for one that the file named. */
  readonly machine: Machine | undefined;
  /** GPUs of one node: resource of the kind, and how many. */
  readonly gpu: { readonly field: (typeof GPU_FIELDS)[number]; readonly count: number } | undefined;
  readonly minSize: number;
  readonly maxSize: number;
  /** GiB. */
  readonly disk: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly preemptible: boolean;
}

/** Nodes of the platform: of no pool that delos.yaml knows, so that no job goes there. */
export const SYSTEM_POOL = 'delos-system';

export interface PoolSettings {
  readonly instanceTypes: Readonly<Record<string, string>>;
  readonly system: { readonly size: number; readonly cpu: number; readonly memory: number };
  readonly diskSize: number;
}

/** The nodes of the platform, then a set of machines for each pool of delos.yaml. @throws DelosError ERR_CONFIG_VALUE */
export function poolsOf(
  platform: DelosConfig,
  settings: PoolSettings,
  machines: readonly Machine[],
): readonly MachinePool[] {
  const { system, instanceTypes, diskSize } = settings;
  const known = ['system', ...platform.nodePools.map(({ name }) => name)];
  const strange = Object.keys(instanceTypes).find((name) => !known.includes(name));
  if (strange !== undefined) {
    throw fault(`instanceTypes.${strange}`, `no pool is named ${strange}: expected ${known.join(', ')}`);
  }
  const own = typeFor('system', instanceTypes.system, { cpu: system.cpu, memory: system.memory }, machines);
  return [
    {
      ...own,
      name: SYSTEM_POOL,
      gpu: undefined,
      minSize: system.size,
      maxSize: system.size,
      disk: diskSize,
      labels: { [POOL_LABEL]: SYSTEM_POOL },
      preemptible: false,
    },
    ...platform.nodePools.map((pool) => {
      const need = needOf(pool, platform);
      const field = GPU_FIELDS.find((each) => pool[each] !== undefined);
      return {
        ...typeFor(pool.name, instanceTypes[pool.name], need, machines),
        name: pool.name,
        gpu: field === undefined ? undefined : { field, count: pool[field]?.count ?? 0 },
        minSize: pool.minSize,
        maxSize: pool.maxSize,
        disk: pool.disk === undefined ? diskSize : Math.ceil(pool.disk / GIB),
        labels: { ...pool.labels, [POOL_LABEL]: pool.name },
        preemptible: pool.preemptible,
      };
    }),
  ];
}

/** What the pool says of a node; what it leaves out, the largest preset that may run there needs. */
function needOf(pool: NodePool, { presets }: DelosConfig): Need {
  const field = GPU_FIELDS.find((each) => pool[each] !== undefined);
  const here = presets.filter(
    (preset) =>
      (preset.pools.length === 0 || preset.pools.includes(pool.name)) &&
      GPU_FIELDS.every((each) => (preset[each]?.count ?? 0) <= (pool[each]?.count ?? 0)),
  );
  const most = (of: 'cpu' | 'memory'): number => Math.max(0, ...here.map((preset) => preset[of]));
  const gpu = field === undefined ? undefined : pool[field];
  return {
    cpu: pool.cpu ?? most('cpu') + KEPT.cpu,
    memory: (pool.memory ?? most('memory') * KEPT.share + KEPT.memory * GIB) / GIB,
    ...(field === undefined || gpu === undefined
      ? {}
      : { gpu: { kind: field, model: gpu.model, memory: (gpu.memory ?? 0) / GIB, count: gpu.count } }),
  };
}

function typeFor(
  name: string,
  given: string | undefined,
  need: Need,
  machines: readonly Machine[],
): Pick<MachinePool, 'type' | 'machine'> {
  if (given !== undefined) return { type: given, machine: machines.find((machine) => machine.name === given) };
  const machine = tryMachineFor(machines, need);
  if (machine !== undefined) return { type: machine.name, machine };
  const { gpu } = need;
  const like =
    gpu === undefined
      ? []
      : machines.filter((each) => each.gpu !== undefined && isModel(gpu.model ?? '', each.gpu.model));
  const words = `${need.cpu} cores, ${Math.ceil(need.memory)} GiB${gpu === undefined ? '' : ` and ${gpu.count} × ${gpu.model ?? gpu.kind}`}`;
  const others = like.map((each) => `${each.name} (${each.cpu} cores, ${each.memory} GiB, ${each.gpu?.count} GPUs)`);
  throw fault(
    `instanceTypes.${name}`,
    `no machine that is known here has ${words}${others.length === 0 ? '' : `; with such GPUs there are ${others.join(', ')}`}`,
  );
}

const fault = (field: string, message: string): DelosError =>
  new DelosError('ERR_CONFIG_VALUE', `${field}: ${message}`, {
    where: { field },
    hint: 'name a type of machine by instanceTypes.POOL, or change the pool in delos.yaml',
  });
