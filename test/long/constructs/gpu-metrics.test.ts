import { dashboardsOf, SERVICES } from '@delos/constructs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { generatedParts } from '../../support/monitoring/generated-parts.ts';
import { type GpuExporters, type Maker, startGpuExporters, type Told } from '../../support/monitoring/gpu-exporters.ts';
import { type Monitoring, startMonitoring } from '../../support/monitoring/monitoring.ts';
import { until } from '../../support/until.ts';

/* The platform's rules and panels of GPUs in the real Prometheus. No GPU and no exporter was here: their texts are as documented. */

let exporters: GpuExporters;
let monitoring: Monitoring;

beforeAll(async () => {
  exporters = await startGpuExporters();
  const parts = generatedParts(
    'services: {dcgmExporter: {enabled: true}, amdGpuExporter: {enabled: true}, intelGpuExporter: {enabled: true}}',
  );
  monitoring = await startMonitoring(parts, exporters.ports, {});
}, 300_000);
afterAll(async () => {
  await monitoring?.stop();
  exporters?.stop();
});

const series = z.object({
  data: z.object({ result: z.array(z.object({ metric: z.record(z.string(), z.string()) })) }),
});
const query = async (text: string) => series.parse(await monitoring.ask('query', { query: text })).data.result;
const firing = async (name: string) => query(`ALERTS{alertname="${name}",alertstate="firing"}`);

describe('no device was here: from documented texts', () => {
  test('each panel of GPUs shows two devices, but for the one of errors', async () => {
    const pages = dashboardsOf(SERVICES).filter(({ name }) => /gpu|dcgm/.test(name));
    const panels = pages.flatMap((page) => page.panels).filter(({ title }) => /NVIDIA|AMD|Intel/.test(title));
    expect(panels.length).toBeGreaterThan(10);
    for (const { title, series: drawn } of panels) {
      if (title.startsWith('Errors')) continue;
      for (const { expr } of drawn) {
        await until(title, 60, async () => ((await query(expr)).length === 2 ? true : undefined));
      }
    }
  });

  test('of devices that are well nothing is told', async () => {
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(await query('ALERTS{alertname=~".*Gpu.*"}')).toEqual([]);
  });

  test.each<[string, Maker, Told, string]>([
    ['GpuHot', 'dcgm-exporter', { DCGM_FI_DEV_GPU_TEMP: 91 }, '0'],
    ['GpuXidError', 'dcgm-exporter', { DCGM_FI_DEV_XID_ERRORS: 79 }, '0'],
    ['GpuMemoryFault', 'dcgm-exporter', { DCGM_FI_DEV_ECC_DBE_VOL_TOTAL: 2 }, '0'],
    ['AmdGpuHot', 'amd-gpu-exporter', { gpu_junction_temperature: 101 }, '0'],
    ['AmdGpuMemoryFault', 'amd-gpu-exporter', { gpu_ecc_uncorrect_total: 1 }, '0'],
    ['IntelGpuHot', 'intel-gpu-exporter', { 'xpum_temperature_celsius location="gpu"': 99 }, '0000:00:00.0'],
    [
      'IntelGpuMemoryFault',
      'intel-gpu-exporter',
      { 'xpum_cache_errors_total type="uncorrectable"': 1 },
      '0000:00:00.0',
    ],
  ])('%s is told of the device that it is about, and of no other', async (name, maker, told, device) => {
    exporters.tell(maker, told);
    const found = await until(name, 60, async () => {
      const now = await firing(name);
      return now.length > 0 ? now : undefined;
    });
    expect(found.map(({ metric }) => metric.gpu ?? metric.gpu_id ?? metric.pci_bdf)).toEqual([device]);
  });

  test('an XID that a program has caused itself is not told', async () => {
    exporters.tell('dcgm-exporter', { DCGM_FI_DEV_XID_ERRORS: 31 });
    await until('the XID of the device is no longer told', 60, async () =>
      (await firing('GpuXidError')).length === 0 ? true : undefined,
    );
  });

  test('no series has a project, so that users see none of them', async () => {
    expect(await query('{__name__=~"DCGM_.+|gpu_.+|xpum_.+",project!=""}')).toEqual([]);
    expect((await query('{__name__=~"DCGM_.+|gpu_.+|xpum_.+"}')).length).toBeGreaterThan(30);
  });
});
