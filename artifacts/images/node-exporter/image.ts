import type { CatalogueImage } from '../../image.ts';

export const nodeExporter: CatalogueImage = {
  name: 'node-exporter',
  role: 'service',
  upstream: 'quay.io/prometheus/node-exporter:v1.12.1',
  version: '1.12.1',
  licence: 'Apache-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'node_exporter' },
};
