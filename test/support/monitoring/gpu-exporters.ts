import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/*
 * What exporters of GPUs answer, as their makers document it: no such device is here. Numbers can be changed while a test runs.
 */

/** What a device tells: series, with `{}` in the place of its labels, and their values. */
export type Told = Record<string, number>;

const LABELS = {
  'dcgm-exporter': (gpu: number) =>
    `gpu="${gpu}",UUID="GPU-0${gpu}",pci_bus_id="00000000:0${gpu}:00.0",device="nvidia${gpu}",modelName="NVIDIA H100 80GB HBM3",Hostname="gpu-1"`,
  'amd-gpu-exporter': (gpu: number) => `gpu_id="${gpu}",serial_number="S${gpu}",card_model="MI300X",hostname="gpu-2"`,
  'intel-gpu-exporter': (gpu: number) =>
    `uuid="u${gpu}",dev_name="Intel(R) Data Center GPU Flex 170",pci_bdf="0000:0${gpu}:00.0",vendor="Intel(R) Corporation",node="gpu-3"`,
} as const;

export type Maker = keyof typeof LABELS;

/** Two devices of each maker that are well. */
export const WELL: Readonly<Record<Maker, Readonly<Told>>> = {
  'dcgm-exporter': {
    DCGM_FI_DEV_GPU_UTIL: 87,
    DCGM_FI_DEV_FB_USED: 40_000,
    DCGM_FI_DEV_FB_FREE: 41_559,
    DCGM_FI_DEV_GPU_TEMP: 61,
    DCGM_FI_DEV_POWER_USAGE: 412.5,
    DCGM_FI_DEV_XID_ERRORS: 0,
    DCGM_FI_DEV_ECC_DBE_VOL_TOTAL: 0,
    DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS: 0,
    DCGM_FI_DEV_ROW_REMAP_FAILURE: 0,
  },
  'amd-gpu-exporter': {
    gpu_gfx_activity: 55,
    gpu_used_vram: 90_000,
    gpu_total_vram: 196_592,
    gpu_junction_temperature: 70,
    gpu_ecc_uncorrect_total: 0,
  },
  'intel-gpu-exporter': {
    xpum_engine_ratio: 0.4,
    xpum_memory_used_bytes: 4e9,
    'xpum_temperature_celsius location="gpu"': 58,
    'xpum_cache_errors_total type="uncorrectable"': 0,
    'xpum_non_compute_errors_total type="uncorrectable"': 0,
  },
};

export interface GpuExporters {
  /** Port of loopback, by name. */
  readonly ports: Readonly<Record<Maker, number>>;
  /** What the first device of a maker tells from now on, beside what it told before. */
  readonly tell: (maker: Maker, told: Readonly<Told>) => void;
  readonly stop: () => void;
}

export async function startGpuExporters(): Promise<GpuExporters> {
  const first = new Map<Maker, Told>();
  const makers = Object.keys(LABELS) as readonly Maker[];
  const servers = await Promise.all(
    makers.map(async (maker) => {
      const server = createServer((_request, response) => {
        const lines = [0, 1].flatMap((gpu) =>
          Object.entries({ ...WELL[maker], ...(gpu === 0 ? first.get(maker) : {}) }).map(([series, value]) => {
            const [name, more] = series.split(' ');
            return `${name}{${LABELS[maker](gpu)}${more === undefined ? '' : `,${more}`}} ${value}`;
          }),
        );
        response.setHeader('content-type', 'text/plain; version=0.0.4').end(`${lines.join('\n')}\n`);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return [maker, server] as const;
    }),
  );
  return {
    ports: Object.fromEntries(
      servers.map(([maker, server]) => [maker, (server.address() as AddressInfo).port]),
    ) as Record<Maker, number>,
    tell: (maker, told) => void first.set(maker, { ...first.get(maker), ...told }),
    stop: () => {
      for (const [, server] of servers) server.close();
    },
  };
}
