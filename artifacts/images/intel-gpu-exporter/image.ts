import type { CatalogueImage } from '../../image.ts';

export const intelGpuExporter: CatalogueImage = {
  name: 'intel-gpu-exporter',
  role: 'service',
  upstream: 'docker.io/intel/xpumanager:v1.2.27',
  version: '1.2.27',
  licence: 'MIT',
  answers: [],
  tags: [],
  standIn: null,
  // Used as its makers publish it, with the libraries of their driver.
  build: null,
};
