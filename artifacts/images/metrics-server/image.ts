import type { CatalogueImage } from '../../image.ts';

export const metricsServer: CatalogueImage = {
  name: 'metrics-server',
  role: 'service',
  upstream: 'registry.k8s.io/metrics-server/metrics-server:v0.9.0',
  version: '0.9.0',
  licence: 'Apache-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'metrics-server' },
};
