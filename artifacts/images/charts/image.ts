import type { CatalogueImage } from '../../image.ts';

export const charts: CatalogueImage = {
  name: 'charts',
  role: 'ours',
  upstream: null,
  version: '0.1.0',
  licence: 'Apache-2.0 AND MIT',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'depot' },
};
