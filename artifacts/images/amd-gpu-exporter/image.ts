import type { CatalogueImage } from '../../image.ts';

export const amdGpuExporter: CatalogueImage = {
  name: 'amd-gpu-exporter',
  role: 'service',
  upstream: 'docker.io/rocm/device-metrics-exporter:v1.4.2',
  version: '1.4.2',
  licence: 'Apache-2.0',
  answers: [],
  tags: [],
  standIn: null,
  // Used as its makers publish it, with the libraries of their driver.
  build: null,
};
