import type { CatalogueImage } from '../../image.ts';

export const prometheus: CatalogueImage = {
  name: 'prometheus',
  role: 'service',
  upstream: 'quay.io/prometheus/prometheus:v3.16.0',
  version: '3.16.0',
  licence: 'Apache-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'prometheus' },
};
