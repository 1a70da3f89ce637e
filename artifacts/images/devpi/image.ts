import type { CatalogueImage } from '../../image.ts';

export const devpi: CatalogueImage = {
  name: 'devpi',
  role: 'ours',
  upstream: null,
  version: '6.20.3',
  licence: 'MIT AND BSD-3-Clause AND Apache-2.0 AND ZPL-2.1 AND MPL-2.0 AND PSF-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'wheels', on: 'user-base' },
};
