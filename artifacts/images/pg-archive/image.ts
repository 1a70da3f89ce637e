import type { CatalogueImage } from '../../image.ts';

export const pgArchive: CatalogueImage = {
  name: 'pg-archive',
  role: 'ours',
  upstream: null,
  version: '0.1.0',
  licence: 'Apache-2.0 AND MIT AND BSD-3-Clause AND BSD-2-Clause',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'pg-archive' },
};
