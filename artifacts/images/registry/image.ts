import type { CatalogueImage } from '../../image.ts';

export const registry: CatalogueImage = {
  name: 'registry',
  role: 'ours',
  upstream: null,
  version: '3.1.2',
  licence: 'Apache-2.0 AND MIT AND BSD-3-Clause AND BSD-2-Clause',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'image-registry' },
};
