import type { CatalogueImage } from '../../image.ts';

export const alertmanager: CatalogueImage = {
  name: 'alertmanager',
  role: 'service',
  upstream: 'quay.io/prometheus/alertmanager:v0.34.0',
  version: '0.34.0',
  licence: 'Apache-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'alertmanager' },
};
