import type { CatalogueImage } from '../../image.ts';

export const jobRouter: CatalogueImage = {
  name: 'job-router',
  role: 'ours',
  upstream: null,
  version: '0.1.0',
  licence: 'Apache-2.0 AND MIT AND BSD-3-Clause',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'job-router' },
};
