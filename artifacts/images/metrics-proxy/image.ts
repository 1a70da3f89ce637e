import type { CatalogueImage } from '../../image.ts';

export const metricsProxy: CatalogueImage = {
  name: 'metrics-proxy',
  role: 'ours',
  upstream: null,
  version: '0.11.1',
  licence: 'Apache-2.0 AND MIT AND BSD-3-Clause',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'metrics-proxy' },
};
