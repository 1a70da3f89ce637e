import type { CatalogueImage } from '../../image.ts';

export const dcgmExporter: CatalogueImage = {
  name: 'dcgm-exporter',
  role: 'service',
  upstream: 'nvcr.io/nvidia/k8s/dcgm-exporter:4.6.0-4.8.3-distroless',
  version: '4.6.0',
  licence: 'Apache-2.0 AND LicenseRef-NVIDIA-DCGM',
  answers: [],
  tags: [],
  standIn: null,
  // Used as its makers publish it: it holds libraries of theirs that nobody else may build.
  build: null,
};
