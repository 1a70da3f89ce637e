import type { CatalogueImage } from '../../image.ts';

export const files: CatalogueImage = {
  name: 'files',
  role: 'ours',
  upstream: null,
  version: '0.1.0',
  licence: 'Apache-2.0 AND BSD-3-Clause',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'files' },
};
