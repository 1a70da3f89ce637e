import type { CatalogueImage } from '../../image.ts';

export const objects: CatalogueImage = {
  name: 'objects',
  role: 'ours',
  upstream: null,
  version: '1.8.0',
  licence: 'Apache-2.0 AND MIT AND BSD-3-Clause AND ISC AND MPL-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'objects' },
};
